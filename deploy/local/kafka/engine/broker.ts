import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { StateStore } from '../storage/state-store.ts';
import { CommittedOffsets } from './committed-offsets.ts';
import { Groups } from './groups.ts';
import { Topics } from './topics.ts';
import { Transactions } from './transactions.ts';

const CLUSTER_ID = 'cluster-id';

/** The only broker's id. */
export const NODE_ID = 1;

/** All that the broker holds; handlers act on it. */
export interface Broker {
  readonly clusterId: string;
  readonly host: string;
  port: number;
  readonly topics: Topics;
  readonly groups: Groups;
  readonly offsets: CommittedOffsets;
  readonly transactions: Transactions;
  readonly defaultPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly now: () => number;
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
  if (dir !== undefined) mkdirSync(dir, { recursive: true });
  const store = new StateStore(dir === undefined ? undefined : join(dir, 'state.journal'));
  const topics = new Topics({ dir: dir === undefined ? undefined : join(dir, 'logs'), store });
  const offsets = new CommittedOffsets(store);
  const transactions = new Transactions({ store, topics, offsets, now });
  const groups = new Groups({ now, initialDelayMs: options.initialRebalanceDelayMs });
  const clusterId = String(store.get(CLUSTER_ID) ?? randomBytes(16).toString('base64url'));
  if (store.get(CLUSTER_ID) === undefined) store.put(CLUSTER_ID, clusterId);
  return {
    clusterId,
    host: '127.0.0.1',
    port: 0,
    topics,
    groups,
    offsets,
    transactions,
    defaultPartitions,
    autoCreateTopics,
    now,
    close() {
      groups.close();
      transactions.close();
      topics.close();
      store.close();
    },
  };
}
