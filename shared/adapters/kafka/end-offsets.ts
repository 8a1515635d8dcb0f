import type { PartitionLog } from './driver.ts';
import type { KafkaAccess } from './kafka-auth.ts';
import { openCluster } from './wire/cluster.ts';

/** Where a partition's log begins and ends: offsets in `[lowOffset, endOffset)` can be fetched. */
export interface PartitionEnd {
  readonly partition: number;
  readonly lowOffset: bigint;
  readonly endOffset: bigint;
}

export interface EndOffsets {
  /**
   * Asks the brokers for the ends of these topics.
   *
   * @returns undefined for a topic that could not be asked within the deadline, or that does not exist
   */
  read(topics: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnd[] | undefined>>;
  close(): Promise<void>;
}

/**
 * Reads the ends of topics over connections that are kept between calls.
 *
 * Brokers that are down or slow cost a caller at most `deadlineMs`: the page says that the lag is unknown.
 */
export function openEndOffsets(access: KafkaAccess, deadlineMs: number): EndOffsets {
  let cluster = openCluster(access, 'penstock-dashboard');
  const readTopic = async (topic: string): Promise<readonly [string, readonly PartitionEnd[] | undefined]> => {
    const state = await within(deadlineMs, cluster.describeTopic(topic)).catch(() => undefined);
    return [topic, state?.partitions.map(toEnd)];
  };
  return {
    async read(topics) {
      const ends = new Map(await Promise.all(topics.map(readTopic)));
      if (![...ends.values()].some((found) => found !== undefined)) {
        // Connections that served no topic at all are not worth keeping.
        cluster.close();
        cluster = openCluster(access, 'penstock-dashboard');
      }
      return ends;
    },
    async close() {
      cluster.close();
    },
  };
}

function toEnd({ partition, earliest, end }: PartitionLog): PartitionEnd {
  return { partition, lowOffset: earliest, endOffset: end };
}

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Kafka did not answer within ${deadlineMs} ms`)), deadlineMs);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
