import type { Batch, Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { RawRecord, RecordHeader } from '../../model/events/raw-record.ts';
import type { PartitionBatch, Subscription, SubscriptionHandlers, SubscriptionOptions } from './driver.ts';

const MIB = 1024 * 1024;
/** Bytes of one fetch and of one partition in it. A larger record still comes, alone: the broker sends at least one. */
const MAX_FETCH_BYTES = MIB;
const MAX_PARTITION_BYTES = (3 * MIB) / 8;
/** Heartbeats in a session, so that a few may be lost. */
const HEARTBEATS = 10;
const CONCURRENT_PARTITIONS = 4;
/** A crash ends the subscription: its owner decides when to come back. */
const RETRY = { retries: 3, initialRetryTime: 200, maxRetryTime: 2_000, restartOnFailure: async () => false };
const NO_HEADERS: readonly RecordHeader[] = [];

/** Joins a group with kafkajs; Spanner, not Kafka, decides where each partition begins. */
export async function subscribe(
  kafka: Kafka,
  { group, topic, maxWaitMs, sessionTimeoutMs }: SubscriptionOptions,
  handlers: SubscriptionHandlers,
): Promise<Subscription> {
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: Math.round(sessionTimeoutMs / HEARTBEATS),
    allowAutoTopicCreation: false,
    readUncommitted: false,
    maxBytes: MAX_FETCH_BYTES,
    maxBytesPerPartition: MAX_PARTITION_BYTES,
    maxWaitTimeInMs: Math.max(1, maxWaitMs),
    retry: RETRY,
  });
  const subscription = subscriptionOf(consumer, topic);
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    listen(consumer, topic, subscription, handlers);
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      eachBatch: (payload) => handlers.onBatch(batchOf(payload)),
    });
  } catch (error) {
    await consumer.disconnect().catch(() => {});
    throw error;
  }
  return subscription;
}

function listen(consumer: Consumer, topic: string, subscription: Subscription, handlers: SubscriptionHandlers): void {
  const { GROUP_JOIN, CRASH, END_BATCH_PROCESS } = consumer.events;
  consumer.on(GROUP_JOIN, ({ payload }) => handlers.onAssigned(payload.memberAssignment[topic] ?? [], subscription));
  consumer.on(CRASH, ({ payload }) => handlers.onEnded(payload.error));
  consumer.on(END_BATCH_PROCESS, ({ payload }) => {
    // A fetch that found only control records comes to no handler; the position moves nevertheless.
    if (payload.batchSize > 0) return;
    const { partition, firstOffset, lastOffset, highWatermark } = payload;
    void handlers.onBatch({
      partition,
      fetchedFrom: BigInt(firstOffset ?? lastOffset),
      nextOffset: BigInt(lastOffset) + 1n,
      records: [],
      highWatermark: BigInt(highWatermark),
      keepAlive: async () => {},
    });
  });
}

function batchOf({ batch, heartbeat }: EachBatchPayload): PartitionBatch {
  const { topic, partition } = batch;
  return {
    partition,
    fetchedFrom: fetchedFrom(batch),
    nextOffset: BigInt(batch.lastOffset()) + 1n,
    records: batch.messages.map((message) => recordOf(topic, partition, message)),
    highWatermark: BigInt(batch.highWatermark),
    keepAlive: heartbeat,
  };
}

/** The offset of the request, which kafkajs keeps but does not declare. */
function fetchedFrom(batch: Batch): bigint {
  if ('fetchedOffset' in batch && typeof batch.fetchedOffset === 'string') return BigInt(batch.fetchedOffset);
  return BigInt(batch.firstOffset() ?? batch.lastOffset());
}

function recordOf(topic: string, partition: number, message: KafkaMessage): RawRecord {
  return {
    key: message.key,
    value: message.value,
    headers: headersOf(message.headers),
    timestampMs: Number(message.timestamp),
    topic,
    partition,
    offset: BigInt(message.offset),
  };
}

function headersOf(headers: KafkaMessage['headers']): readonly RecordHeader[] {
  if (!headers) return NO_HEADERS;
  const list: RecordHeader[] = [];
  for (const name in headers) {
    const values = headers[name];
    for (const value of Array.isArray(values) ? values : [values]) {
      if (value !== undefined) list.push({ name, value: typeof value === 'string' ? Buffer.from(value) : value });
    }
  }
  return list.length === 0 ? NO_HEADERS : list;
}

function subscriptionOf(consumer: Consumer, topic: string): Subscription {
  return {
    seek: (partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    pause: (partition) => consumer.pause([{ topic, partitions: [partition] }]),
    resume: (partition) => consumer.resume([{ topic, partitions: [partition] }]),
    commitOffsets: (offsets) =>
      consumer.commitOffsets([...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }))),
    stop: async () => {
      await consumer.stop();
      await consumer.disconnect();
    },
  };
}
