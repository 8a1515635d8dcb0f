import type { Batch, Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { RawRecord, RecordHeader } from '../../model/events/records/raw-record.ts';
import type {
  PartitionBatch,
  Subscription,
  SubscriptionHandlers,
  SubscriptionOptions,
  TopicPartition,
} from './driver.ts';

const MIB = 1024 * 1024;
/** Bytes of one fetch and of one partition in it. A larger record still comes, alone: the broker sends at least one. */
const MAX_FETCH_BYTES = MIB;
const MAX_PARTITION_BYTES = (3 * MIB) / 8;
/** Heartbeats in a session, so that a few may be lost. */
const HEARTBEATS = 10;
/** How often topics are looked at for new partitions. */
const LOOK_EVERY_MS = 10_000;
const CONCURRENT_PARTITIONS = 4;
/** A crash ends the subscription: its owner decides when to come back. */
const RETRY = { retries: 3, initialRetryTime: 200, maxRetryTime: 2_000, restartOnFailure: async () => false };
const NO_HEADERS: readonly RecordHeader[] = [];

/** Joins a group with kafkajs; Spanner, not Kafka, decides where each partition begins. */
export async function subscribe(
  kafka: Kafka,
  { group, topics, maxWaitMs, sessionTimeoutMs }: SubscriptionOptions,
  handlers: SubscriptionHandlers,
  lookEveryMs = LOOK_EVERY_MS,
): Promise<Subscription> {
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: Math.round(sessionTimeoutMs / HEARTBEATS),
    allowAutoTopicCreation: false,
    readUncommitted: false,
    maxBytes: MAX_FETCH_BYTES,
    maxBytesPerPartition: MAX_PARTITION_BYTES,
    metadataMaxAge: lookEveryMs,
    maxWaitTimeInMs: Math.max(1, maxWaitMs),
    retry: RETRY,
  });
  const subscription = subscriptionOf(consumer);
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: topics instanceof RegExp ? [topics] : [...topics], fromBeginning: true });
    listen(consumer, subscription, handlers);
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

function listen(consumer: Consumer, subscription: Subscription, handlers: SubscriptionHandlers): void {
  const { GROUP_JOIN, CRASH, END_BATCH_PROCESS } = consumer.events;
  consumer.on(GROUP_JOIN, ({ payload }) => {
    const topics = Object.entries(payload.memberAssignment);
    // kafkajs gives up every partition at a rebalance, so that none is kept.
    const assigned = topics.flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition, kept: false })),
    );
    handlers.onAssigned(assigned, subscription);
  });
  consumer.on(CRASH, ({ payload }) => handlers.onEnded(payload.error));
  consumer.on(END_BATCH_PROCESS, ({ payload }) => {
    // A fetch that found only control records comes to no handler; the position moves nevertheless.
    if (payload.batchSize > 0) return;
    const { topic, partition, firstOffset, lastOffset, highWatermark } = payload;
    void handlers.onBatch({
      topic,
      partition,
      topicId: undefined,
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
    topic,
    partition,
    topicId: undefined,
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

function subscriptionOf(consumer: Consumer): Subscription {
  const one = ({ topic, partition }: TopicPartition) => [{ topic, partitions: [partition] }];
  return {
    seek: ({ topic, partition }, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    pause: (partition) => consumer.pause(one(partition)),
    resume: (partition) => consumer.resume(one(partition)),
    commitOffsets: (offsets) =>
      consumer.commitOffsets(
        offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset: String(offset) })),
      ),
    stop: async () => {
      await consumer.stop();
      await consumer.disconnect();
    },
  };
}
