import type { Admin, Kafka } from 'kafkajs';
import { kafkajsClient } from './kafkajs-client.ts';

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
 * Reads the ends of topics with kafkajs' admin client, one connection kept between calls.
 *
 * Brokers that are down or slow cost a caller at most `deadlineMs`: the page says that the lag is unknown.
 */
export function openEndOffsets(brokers: readonly string[], deadlineMs: number): EndOffsets {
  const kafka = kafkajsClient({
    clientId: 'penstock-dashboard',
    brokers: [...brokers],
    connectionTimeout: deadlineMs,
    requestTimeout: deadlineMs,
    retry: { retries: 0 },
  });
  let connection: Promise<Admin> | undefined;
  let leaving: Promise<unknown> = Promise.resolve();

  function forget(): Promise<unknown> {
    const lost = connection;
    connection = undefined;
    const left = lost?.then((admin) => admin.disconnect()).catch(() => {});
    leaving = Promise.all([leaving, left]);
    return leaving;
  }
  async function readTopic(admin: Admin, topic: string): Promise<[string, PartitionEnd[] | undefined]> {
    const offsets = await admin.fetchTopicOffsets(topic).catch(() => undefined);
    return [topic, offsets?.map(toEnd).sort((a, b) => a.partition - b.partition)];
  }
  async function readAll(topics: readonly string[]): Promise<Map<string, PartitionEnd[] | undefined>> {
    connection ??= connect(kafka);
    const admin = await connection;
    return new Map(await Promise.all(topics.map((topic) => readTopic(admin, topic))));
  }
  return {
    async read(topics) {
      const ends = await within(deadlineMs, readAll(topics)).catch(() => undefined);
      // A connection that served no topic at all is not worth keeping.
      if (!ends || ![...ends.values()].some((found) => found !== undefined)) void forget();
      return ends ?? new Map(topics.map((topic) => [topic, undefined]));
    },
    async close() {
      await forget();
    },
  };
}

async function connect(kafka: Kafka): Promise<Admin> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return admin;
  } catch (error) {
    // A handshake that failed leaves its socket open.
    await admin.disconnect();
    throw error;
  }
}

function toEnd({ partition, low, high }: { partition: number; low: string; high: string }): PartitionEnd {
  return { partition, lowOffset: BigInt(low), endOffset: BigInt(high) };
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
