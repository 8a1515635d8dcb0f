import { openBroker } from './engine/broker.ts';
import { type Listener, type ListenerOptions, openListener } from './listener.ts';
import type { Attempt } from './sasl/session.ts';

const RETENTION_EVERY_MS = 30_000;
const INITIAL_REBALANCE_DELAY_MS = 50;
/** The listener that is always there. */
const PLAINTEXT = 'PLAINTEXT';
const LISTENER_NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** A broker that listens. */
export interface KafkaServer {
  /** `127.0.0.1:port` of the plaintext listener, to be given to clients as their bootstrap broker. */
  readonly address: string;
  /** `127.0.0.1:port` by the listener's name; `PLAINTEXT` is among them. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Cuts all connections and releases files and timers; the state stays in `dir`. */
  close(): Promise<void>;
}

/** What a Kafka broker can be opened with. */
export interface KafkaServerOptions {
  /** Of the plaintext listener; 0 or absent: the one of the last start with this `dir` where it is free, else any. */
  readonly port?: number;
  /** Where topics, logs, offsets, credentials and ports are kept; absent: in memory. */
  readonly dir?: string;
  /** Further listeners by name, for instance `SASL_SSL`. */
  readonly listeners?: Readonly<Record<string, ListenerOptions>>;
  /** Passwords by user, for PLAIN; for SCRAM too until an administrator changes them. Only keys are kept. */
  readonly users?: Readonly<Record<string, string>>;
  /** Told of each attempt to authenticate. */
  readonly onAttempt?: (attempt: Attempt & { readonly listener: string }) => void;
  /** ms since the epoch, for sessions and retention. */
  readonly now?: () => number;
  /** Partitions of a topic that does not say; 1. */
  readonly defaultPartitions?: number;
  /** Whether asking for a missing topic makes it; false. */
  readonly autoCreateTopics?: boolean;
  /** How long an empty group waits for more members; 50. */
  readonly initialRebalanceDelayMs?: number;
}

/**
 * Opens a Kafka broker of one node on 127.0.0.1: one plaintext listener, and those that `listeners` adds.
 *
 * @throws {RangeError} a listener's name is not one, or it offers OAUTHBEARER without `verifyToken`
 */
export async function openKafkaServer(options: KafkaServerOptions = {}): Promise<KafkaServer> {
  checkListeners(options.listeners ?? {});
  const now = options.now ?? Date.now;
  const broker = openBroker({
    dir: options.dir,
    now,
    defaultPartitions: options.defaultPartitions ?? 1,
    autoCreateTopics: options.autoCreateTopics ?? false,
    initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? INITIAL_REBALANCE_DELAY_MS,
  });
  const listeners = new Map<string, Listener>();
  const retention = setInterval(() => broker.topics.retain(now()), RETENTION_EVERY_MS);
  const close = async (): Promise<void> => {
    clearInterval(retention);
    await Promise.all([...listeners.values()].map((listener) => listener.close()));
    broker.close();
  };
  try {
    await broker.credentials.seed(options.users ?? {});
    const plaintext: ListenerOptions = options.port === undefined ? {} : { port: options.port };
    for (const [name, wanted] of Object.entries({ [PLAINTEXT]: plaintext, ...options.listeners })) {
      const onAttempt = (attempt: Attempt): void => options.onAttempt?.({ listener: name, ...attempt });
      listeners.set(name, await openListener(broker, { name, options: wanted, onAttempt }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const addresses = Object.fromEntries([...listeners].map(([name, { address }]) => [name, address]));
  return { address: addresses[PLAINTEXT] ?? '', addresses, close };
}

function checkListeners(listeners: Readonly<Record<string, ListenerOptions>>): void {
  for (const [name, { sasl }] of Object.entries(listeners)) {
    if (!LISTENER_NAME.test(name) || name === PLAINTEXT) {
      throw new RangeError(
        `Cannot open listener ${name}: wanted a name of A to Z, 0 to 9 and _, other than ${PLAINTEXT}`,
      );
    }
    if (sasl?.mechanisms.length === 0) throw new RangeError(`Listener ${name} offers no mechanism: name at least one`);
    if (sasl?.mechanisms.includes('OAUTHBEARER') && !sasl.verifyToken) {
      throw new RangeError(`Listener ${name} offers OAUTHBEARER: give it verifyToken, which says whose token is good`);
    }
  }
}
