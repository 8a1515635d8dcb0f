import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { problemOf, sendProblem } from './problem.ts';

/** Cloud Run kills an instance 10 s after SIGTERM. */
const GRACE_MS = 9_000;
const SIGNAL = 'SIGTERM';

/** The part of `process` that is used here. */
export type SignalSource = Pick<EventEmitter, 'on' | 'removeListener'> & { exit(code: number): void };

/** A function that ends well: requests in flight are answered before the process goes. */
export interface Graceful {
  /** Aborted at SIGTERM: finish the piece in hand, save, answer. */
  readonly signal: AbortSignal;
  /**
   * Wraps a request handler: counts it until its answer has left, answers what it throws as a
   * problem, and refuses new requests with 503 while ending.
   */
  wrap<Q extends IncomingMessage, R extends ServerResponse>(
    handle: (request: Q, response: R) => Promise<void>,
  ): (request: Q, response: R) => Promise<void>;
}

/**
 * Takes SIGTERM over from the functions framework, whose own handler answers every request in flight with an error and
 * exits, and from the Spanner client, whose import swallows the signal.
 *
 * After the signal: `signal` is aborted, requests in flight are waited for (at most 9 s), `onClose` runs, the process exits
 * with 0, or with 1 when `onClose` failed or the time ran out.
 *
 * @param onClose closes what the function has open
 */
export function installGracefulShutdown(
  onClose: () => Promise<void>,
  options: { readonly source?: SignalSource; readonly graceMs?: number } = {},
): Graceful {
  const source = options.source ?? process;
  const ending = new AbortController();
  const inFlight = new Set<Promise<void>>();
  const end = (): void => {
    if (ending.signal.aborted) return;
    ending.abort();
    void finish(inFlight, onClose, options.graceMs ?? GRACE_MS).then((code) => source.exit(code));
  };
  own(source, end);
  return {
    signal: ending.signal,
    wrap: (handle) => async (request, response) => {
      if (ending.signal.aborted) return refuse(response);
      const answered = new Promise<void>((resolve) => response.once('close', () => resolve()));
      inFlight.add(answered);
      void answered.then(() => inFlight.delete(answered));
      await handle(request, response).catch((error: unknown) => sendProblem(response, problemOf(error)));
    },
  };
}

/** Keeps ours the only listener: the framework registers its own after our module has been loaded. */
function own(source: SignalSource, end: () => void): void {
  source.on(SIGNAL, end);
  source.on('newListener', (event: string, listener: () => void) => {
    if (event !== SIGNAL || listener === end) return;
    // It is told before the listener is added.
    queueMicrotask(() => source.removeListener(SIGNAL, listener));
  });
}

async function finish(
  inFlight: ReadonlySet<Promise<void>>,
  onClose: () => Promise<void>,
  graceMs: number,
): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<number>((resolve) => {
    timer = setTimeout(() => resolve(1), graceMs);
  });
  const done = Promise.all(inFlight)
    .then(onClose)
    .then(
      () => 0,
      () => 1,
    );
  const code = await Promise.race([done, late]);
  clearTimeout(timer);
  return code;
}

function refuse(response: ServerResponse): void {
  response.setHeader('connection', 'close');
  sendProblem(response, {
    status: 503,
    title: 'Ending',
    detail: 'This instance is shutting down',
    code: 'ENDING',
    remedy: 'Send the request again',
    retryAfterSeconds: 1,
  });
}
