import { setTimeout as delay } from 'node:timers/promises';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import type { ChaosKafka } from '../../chaos/chaos-cloud.ts';
import { chaosTopic } from '../../chaos/sink-rig.ts';
import { waitUntil } from '../../chaos/wait-until.ts';
import { openRealKafka, type RealKafka } from './real-kafka.ts';

const SECOND = 2;
/** Every partition is on both brokers, and its first one leads it again soon after it has come back. */
const REPLICATED = {
  'default.replication.factor': 2,
  'offsets.topic.replication.factor': 2,
  'transaction.state.log.replication.factor': 2,
  'leader.imbalance.check.interval.seconds': 1,
  'leader.imbalance.per.broker.percentage': 0,
};

/** Two brokers of one cluster; `restart` ends the second with -9, waits until the first leads all, and starts it again. */
export interface TwoBrokers extends ChaosKafka {
  /** Times that partitions have gone to the first broker, and come back to the second. */
  readonly moves: number;
}

/** Starts them. */
export async function openTwoBrokers(): Promise<TwoBrokers> {
  const properties = Object.fromEntries(Object.entries(REPLICATED).map(([name, value]) => [name, String(value)]));
  const first = await openRealKafka({ properties });
  let second: RealKafka;
  try {
    second = await openRealKafka({ properties, joins: first.cluster });
  } catch (error) {
    await first.close();
    throw error;
  }
  const brokers = [...first.brokers, ...second.brokers];
  let moves = 0;
  return {
    brokers,
    get moves() {
      return moves;
    },
    async restart(outageMs) {
      const leaders = (): Promise<readonly number[]> => leadersOf(first.brokers);
      await waitUntil('the second broker leads partitions', async () => (await leaders()).includes(SECOND));
      const gone = Promise.withResolvers<void>();
      const restarting = second.restart(gone.promise);
      await waitUntil('the first broker leads all partitions', async () => !(await leaders()).includes(SECOND));
      await delay(outageMs);
      gone.resolve();
      await restarting;
      await waitUntil('the second broker leads partitions again', async () => (await leaders()).includes(SECOND));
      moves += 1;
    },
    async close() {
      await second.close();
      await first.close();
    },
  };
}

/** The nodes that lead partitions of the topic now. */
async function leadersOf(brokers: readonly string[]): Promise<readonly number[]> {
  const admin = kafkajsClient({ clientId: 'penstock-real', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [chaosTopic] });
    return topics.flatMap(({ partitions }) => partitions.map(({ leader }) => leader));
  } finally {
    await admin.disconnect();
  }
}
