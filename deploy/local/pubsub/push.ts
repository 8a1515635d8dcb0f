import type { Consumer, Delivery } from './backlog.ts';
import type { Engine } from './engine.ts';
import { type PushAgents, post, pushRequest } from './push-request.ts';

const ACKNOWLEDGING = new Set([102, 200, 201, 202, 204]);
/** Production starts with a small one-digit window, and lets it grow to thousands; a laptop's function is one process. */
const FIRST_WINDOW = 8;
const MAX_WINDOW = 256;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 60_000;

/** Makes the ID token for a service account and an audience. */
export type MintIdToken = (serviceAccount: string, audience: string) => Promise<string>;

/**
 * Pushes a subscription's messages to its endpoint until it is closed or the subscription is gone.
 *
 * The window of concurrent requests grows by one with each acknowledged message and halves with a failure. Without a retry
 * policy, failures in a row pause the whole subscription for 100 ms, doubling up to 60 s; with one, each message backs off alone.
 */
export function openPusher(options: {
  engine: Engine;
  subscription: string;
  agents: PushAgents;
  now: () => number;
  mintIdToken: MintIdToken | undefined;
}): { close(): Promise<void> } {
  const { engine, subscription } = options;
  const inFlight = new Map<AbortController, Promise<void>>();
  const flow = { window: FIRST_WINDOW, pauseMs: 0, pausedUntilMs: 0 };
  let pauseTimer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const pump = (): void => {
    while (!isClosed && inFlight.size < flow.window && options.now() >= flow.pausedUntilMs) {
      const controller = new AbortController();
      const [delivery] = leaseOne(engine, subscription, controller);
      if (delivery === undefined) return;
      const pushed = push(delivery, controller.signal).finally(() => {
        inFlight.delete(controller);
        pump();
      });
      inFlight.set(controller, pushed);
    }
  };

  const push = async (delivery: Delivery, signal: AbortSignal): Promise<void> => {
    const isAcknowledged = await deliver(options, delivery, signal).catch(() => false);
    if (isClosed || !isPushing(engine, subscription)) return;
    const lease = { id: delivery.message.id, lease: delivery.lease };
    if (isAcknowledged) {
      flow.window = Math.min(MAX_WINDOW, flow.window + 1);
      flow.pauseMs = 0;
      engine.acknowledge(subscription, [lease]);
    } else {
      failed();
      engine.modifyDeadline(subscription, [{ ...lease, deadlineMs: 0 }]);
    }
  };

  const failed = (): void => {
    flow.window = Math.max(1, Math.floor(flow.window / 2));
    const nowMs = options.now();
    if (engine.subscription(subscription).retryPolicy || nowMs < flow.pausedUntilMs) return;
    flow.pauseMs = Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, flow.pauseMs * 2));
    flow.pausedUntilMs = nowMs + flow.pauseMs;
    clearTimeout(pauseTimer);
    pauseTimer = setTimeout(pump, flow.pauseMs);
  };

  const stopListening = engine.listen(subscription, pump);
  pump();
  return {
    async close() {
      isClosed = true;
      stopListening();
      clearTimeout(pauseTimer);
      for (const controller of inFlight.keys()) controller.abort();
      await Promise.all(inFlight.values());
    },
  };
}

function leaseOne(engine: Engine, subscription: string, controller: AbortController): Delivery[] {
  if (!isPushing(engine, subscription)) return [];
  // The endpoint has as long as the lease lasts.
  const consumer: Consumer = {
    released(_, why) {
      if (why === 'expired') controller.abort();
    },
  };
  return engine.lease(subscription, { maxMessages: 1, maxBytes: 0, consumer });
}

function isPushing(engine: Engine, subscription: string): boolean {
  return Boolean(engine.pushEndpoint(subscription));
}

async function deliver(
  options: { engine: Engine; subscription: string; agents: PushAgents; mintIdToken: MintIdToken | undefined },
  delivery: Delivery,
  signal: AbortSignal,
): Promise<boolean> {
  const settings = options.engine.subscription(options.subscription);
  const endpoint = settings.pushConfig?.pushEndpoint ?? '';
  const { headers, body } = pushRequest(settings, delivery);
  const identity = settings.pushConfig?.oidcToken;
  const token = identity?.serviceAccountEmail
    ? await options.mintIdToken?.(identity.serviceAccountEmail, identity.audience || endpoint)
    : undefined;
  const status = await post(
    endpoint,
    {
      headers: {
        ...headers,
        Accept: 'application/json',
        From: 'noreply@google.com',
        'User-Agent': 'CloudPubSub-Google',
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
      body,
    },
    { agents: options.agents, signal },
  );
  return ACKNOWLEDGING.has(status);
}
