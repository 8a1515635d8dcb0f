import { randomBytes } from 'node:crypto';
import { CommittedOffsets } from './committed-offsets.ts';
import { Groups } from './groups.ts';
import { Topics } from './topics.ts';

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
  readonly defaultPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly now: () => number;
  nextProducerId(): number;
  close(): void;
}

/** Opens a broker's state. */
export function openBroker(options: {
  dir: string | undefined;
  now: () => number;
  defaultPartitions: number;
  autoCreateTopics: boolean;
  initialRebalanceDelayMs: number;
}): Broker {
  const { now, defaultPartitions, autoCreateTopics } = options;
  const topics = new Topics({ dir: options.dir, save: () => {}, forget: () => {} });
  const groups = new Groups({ now, initialDelayMs: options.initialRebalanceDelayMs });
  let producerIds = 0;
  return {
    clusterId: randomBytes(16).toString('base64url'),
    host: '127.0.0.1',
    port: 0,
    topics,
    groups,
    offsets: new CommittedOffsets(),
    defaultPartitions,
    autoCreateTopics,
    now,
    nextProducerId: () => producerIds++,
    close() {
      groups.close();
      topics.close();
    },
  };
}
