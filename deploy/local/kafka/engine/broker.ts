import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Credentials } from '../sasl/credentials.ts';
import { StateStore } from '../storage/state-store.ts';
import { CommittedOffsets } from './committed-offsets.ts';
import { Groups } from './groups.ts';
import { Topics } from './topics.ts';
import { Transactions } from './transactions.ts';

const CLUSTER_ID = 'cluster-id';
const PORT_PREFIX = 'listener-port:';

/** The only broker's id. */
export const NODE_ID = 1;

/** All that the broker holds; handlers act on it. */
export interface Broker {
  readonly clusterId: string;
  readonly topics: Topics;
  readonly groups: Groups;
  readonly offsets: CommittedOffsets;
  readonly transactions: Transactions;
  readonly credentials: Credentials;
  readonly defaultPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly now: () => number;
  /** The port that a listener had when it last listened. */
  portOf(listener: string): number | undefined;
  keepPort(listener: string, port: number): void;
  close(): void;
}

/** Opens a broker's state, with what its directory holds. */
export function openBroker(options: {
  dir: string | undefined;
  now: () => number;
  defaultPartitions: number;
  autoCreateTopics: boolean;
  initialRebalanceDelayMs: number;
}): Broker {
  const { dir, now, defaultPartitions, autoCreateTopics } = options;
  // It holds what passwords are verified with.
  if (dir !== undefined) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const store = new StateStore(dir === undefined ? undefined : join(dir, 'state.journal'));
  const topics = new Topics({ dir: dir === undefined ? undefined : join(dir, 'logs'), store });
  const offsets = new CommittedOffsets(store);
  const transactions = new Transactions({ store, topics, offsets, now });
  const groups = new Groups({ now, initialDelayMs: options.initialRebalanceDelayMs });
  const clusterId = String(store.get(CLUSTER_ID) ?? randomBytes(16).toString('base64url'));
  if (store.get(CLUSTER_ID) === undefined) store.put(CLUSTER_ID, clusterId);
  return {
    clusterId,
    topics,
    groups,
    offsets,
    transactions,
    credentials: new Credentials(store),
    defaultPartitions,
    autoCreateTopics,
    now,
    portOf(listener) {
      const port = store.get(`${PORT_PREFIX}${listener}`);
      return typeof port === 'number' ? port : undefined;
    },
    keepPort(listener, port) {
      if (store.get(`${PORT_PREFIX}${listener}`) !== port) store.put(`${PORT_PREFIX}${listener}`, port);
    },
    close() {
      groups.close();
      transactions.close();
      topics.close();
      store.close();
    },
  };
}
