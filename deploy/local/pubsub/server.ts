import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { serveGrpc } from '../grpc.ts';
import { type Journal, noJournal, openJournal } from '../journal.ts';
import { type Change, decodeChange, encodeChange } from './changes.ts';
import { Engine } from './engine.ts';
import { publisherMethods } from './publisher.ts';
import { type MintIdToken, openPusher } from './push.ts';
import { subscriberMethods } from './subscriber.ts';

const COMPACT_AFTER_BYTES = 16 * 1024 * 1024;
const INJECTED_CLOCK_POLL_MS = 10;

/** A Pub/Sub that listens. */
export interface PubSubServer {
  readonly address: string;
  /** Publishes for another service of the cloud. @throws {RpcError} when there is no such topic */
  publish(
    topic: string,
    message: { readonly data: Buffer; readonly attributes: Readonly<Record<string, string>> },
  ): void;
  close(): Promise<void>;
}

/**
 * Starts the laptop's Pub/Sub on 127.0.0.1, for the official clients with PUBSUB_EMULATOR_HOST.
 *
 * @param options.port 0 or left out for a free one
 * @param options.dir where topics, subscriptions and unacknowledged messages are kept; in memory when left out
 * @param options.now the time in milliseconds since 1970; deadlines follow it, also when it jumps
 * @param options.mintIdToken makes the tokens of push requests; without it a subscription that wants one is refused
 */
export async function openPubSubServer(
  options: { port?: number; dir?: string; now?: () => number; mintIdToken?: MintIdToken } = {},
): Promise<PubSubServer> {
  const now = options.now ?? Date.now;
  const store = openStore(options.dir, {
    now,
    ...(options.now && { maxTimerMs: INJECTED_CLOCK_POLL_MS }),
  });
  const { engine } = store;
  const pushers = startPushers(engine, { now, mintIdToken: options.mintIdToken });
  const methods = [...publisherMethods(engine), ...subscriberMethods(engine, options.mintIdToken !== undefined)];
  const server = await serveGrpc({ port: options.port ?? 0, methods });
  return {
    address: `127.0.0.1:${server.port}`,
    publish: (topic, { data, attributes }) => void engine.publish(topic, [{ data, orderingKey: '', attributes }]),
    async close() {
      await server.close();
      await pushers.close();
      engine.close();
      store.close();
    },
  };
}

/** An engine whose changes are kept in a journal, which is rewritten when most of it is history. */
function openStore(dir: string | undefined, options: { now: () => number; maxTimerMs?: number }) {
  let journal: Journal = noJournal;
  let appendedBytes = 0;
  const compactIfDue = (): void => {
    if (appendedBytes < Math.max(COMPACT_AFTER_BYTES, 2 * engine.heldBytes)) return;
    appendedBytes = 0;
    journal.rewrite(engine.snapshot().map(encodeChange));
  };
  const engine = new Engine({
    ...options,
    record(change: Change) {
      if (dir === undefined) return;
      const record = encodeChange(change);
      journal.append(record);
      appendedBytes += record.length;
      // Not now: the engine is in the middle of this change.
      if (appendedBytes >= COMPACT_AFTER_BYTES) setImmediate(compactIfDue);
    },
  });
  if (dir !== undefined) {
    journal = openJournal(join(dir, 'pubsub.journal'), (record) => engine.apply(decodeChange(record)));
    journal.rewrite(engine.snapshot().map(encodeChange));
  }
  return { engine, close: () => journal.close() };
}

/** Keeps one pusher for each subscription with an endpoint. */
function startPushers(engine: Engine, options: { now: () => number; mintIdToken: MintIdToken | undefined }) {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  const pushers = new Map<string, { close(): Promise<void> }>();
  const update = (subscription: string): void => {
    const isWanted = Boolean(engine.pushEndpoint(subscription));
    const pusher = pushers.get(subscription);
    if (isWanted && pusher === undefined) {
      pushers.set(subscription, openPusher({ ...options, engine, subscription, agents }));
    } else if (!isWanted && pusher !== undefined) {
      pushers.delete(subscription);
      void pusher.close();
    }
  };
  engine.onSettings(update);
  return {
    async close() {
      await Promise.all([...pushers.values()].map((pusher) => pusher.close()));
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
