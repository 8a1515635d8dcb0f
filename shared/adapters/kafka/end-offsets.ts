import type { PartitionLog } from './driver.ts';
import { findPartitionCounts } from './group/group-topics.ts';
import type { KafkaAccess } from './kafka-auth.ts';
import { type Cluster, openCluster } from './wire/cluster.ts';

/** Where a partition's log begins and ends: offsets in `[lowOffset, endOffset)` can be fetched. */
export interface PartitionEnd {
  readonly partition: number;
  readonly lowOffset: bigint;
  readonly endOffset: bigint;
  /** When the record at `lowOffset` happened, in milliseconds since 1970; undefined where there is none. */
  readonly lowTimeMs: number | undefined;
}

export interface EndOffsets {
  /**
   * Asks the brokers for the ends of these topics.
   *
   * @returns undefined for a topic that could not be asked within the deadline, or that does not exist
   */
  read(topics: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionEnd[] | undefined>>;
  /** @returns the names of the topics that match now; undefined when the brokers did not say within the deadline */
  find(pattern: RegExp): Promise<readonly string[] | undefined>;
  close(): Promise<void>;
}

/** Connections that have served nothing for so long are made anew: one may hang. */
const STUCK_AFTER_MS = 10_000;

/**
 * Reads the ends of topics over connections that are kept between calls.
 *
 * Brokers that are down or slow cost a caller at most `deadlineMs`: the page says that the lag is unknown. What was begun then goes
 * on, so that a connection that takes longer serves the next call.
 *
 * @param access is asked for at the first call, and again after it failed: it may have to read secrets
 */
export function openEndOffsets(access: () => Promise<KafkaAccess>, deadlineMs: number): EndOffsets {
  let opening: Promise<Cluster> | undefined;
  let heardAtMs = 0;
  const close = async (): Promise<void> => {
    const old = opening;
    opening = undefined;
    await old?.then((cluster) => cluster.close()).catch(() => {});
  };
  const open = (): Promise<Cluster> => {
    if (opening && performance.now() - heardAtMs > STUCK_AFTER_MS) void close();
    if (opening) return opening;
    heardAtMs = performance.now();
    const begun = access().then((found) => openCluster(found, 'penstock-dashboard'));
    begun.catch(() => {
      if (opening === begun) opening = undefined;
    });
    opening = begun;
    return begun;
  };
  const ask = async <T>(work: (cluster: Cluster) => Promise<T>): Promise<T | undefined> => {
    const heard = async (): Promise<T> => {
      const answer = await work(await open());
      heardAtMs = performance.now();
      return answer;
    };
    return await within(deadlineMs, heard()).catch(() => undefined);
  };
  const readTopic = async (topic: string): Promise<readonly [string, readonly PartitionEnd[] | undefined]> => {
    const [state, times] = await Promise.all([
      ask((cluster) => cluster.describeTopic(topic)),
      ask((cluster) => cluster.oldestTimes(topic)),
    ]);
    return [topic, times && state?.partitions.map((log) => endOf(log, times.get(log.partition)))];
  };
  return {
    read: async (topics) => new Map(await Promise.all(topics.map(readTopic))),
    async find(pattern) {
      const counts = await ask((cluster) => findPartitionCounts(cluster, pattern));
      return counts && [...counts.keys()];
    },
    close,
  };
}

function endOf({ partition, earliest, end }: PartitionLog, lowTimeMs: number | undefined): PartitionEnd {
  return { partition, lowOffset: earliest, endOffset: end, lowTimeMs };
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
