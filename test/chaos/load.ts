import { setTimeout as delay } from 'node:timers/promises';
import { PubSub } from '@google-cloud/pubsub';
import type { Kafka, Producer, RecordMetadata } from 'kafkajs';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { localProject } from '../../deploy/local/project.ts';
import { kafkajsClient } from '../../shared/adapters/kafka/kafkajs-client.ts';
import type { PublishedRecord } from './history.ts';
import type { Random } from './random.ts';
import { type RecordOptions, recordSource, type SentRecord } from './record-source.ts';
import { chaosTopic, pushAudience, pushSubscription, type SinkRig } from './sink-rig.ts';
import { waitUntil } from './wait-until.ts';

const PUSH_KEYS = 64;
const DUPLICATE_SHARE = 0.05;
const PUSH_POISON_SHARE = 0.01;
const DEFAULT_SHARES = { poisonShare: 0.012, childShare: 0.6 };
const TICK_MS = 100;
/** Offsets that the slowest pipeline may be behind. */
const MAX_BEHIND = 5_000;
/** Records at once, however late they are. */
const MAX_BURST = 500;
const RETRY_MS = 200;
const REQUEST_TIMEOUT_MS = 5_000;
/** What no pipeline can read. */
const POISON = '{"sequence": 1';

/** A producer that remembers how far the topic must reach. */
export interface Load {
  readonly topic: string;
  /** By partition: the last offset that was acknowledged to hold a record; -1 for none. */
  last(): readonly number[];
  /** Messages that were acknowledged, by id. */
  readonly published: ReadonlyMap<string, PublishedRecord>;
  /** Sends this many records, and resolves when all are acknowledged; over a restart some may be there twice. */
  send(records: number): Promise<void>;
  /** Sends records in a transaction that ends so; while it is open, nobody may read beyond its first record. */
  transact(records: number, end: 'commit' | 'abort', openMs: number): Promise<void>;
  /** Adds a partition to the topic; from now on some records go there. */
  grow(): Promise<void>;
  /** Publishes this many messages, some of which are then pushed once more. */
  publish(messages: number, pushUrl: string): Promise<void>;
  /** Tells how many offsets the slowest pipeline has passed: where it is far behind, `run` waits for it. */
  setPassed(offsets: number): void;
  /** Sends until the signal; a rate of 0 messages publishes none. */
  run(options: {
    readonly recordsPerSecond: number;
    readonly messagesPerSecond: number;
    readonly pushUrl: string;
    readonly signal: AbortSignal;
  }): Promise<void>;
  close(): Promise<void>;
}

/** Opens producers on a rig; what they send follows from the random numbers alone. */
export async function openLoad(
  rig: SinkRig,
  random: Random,
  shares: Partial<Pick<RecordOptions, 'poisonShare' | 'childShare'>> = {},
): Promise<Load> {
  const brokers = [...rig.brokers];
  const kafka = kafkajsClient({ clientId: 'penstock-chaos', brokers, requestTimeout: REQUEST_TIMEOUT_MS });
  const pubsub = new PubSub({ projectId: localProject });
  const publisher = pubsub.topic(pushSubscription, { batching: { maxMessages: 20, maxMilliseconds: 5 } });
  const published = new Map<string, PublishedRecord>();
  const nextTransacted = inPartitions(
    recordSource(random, { prefix: 'transacted', ...DEFAULT_SHARES, ...shares }),
    rig.partitions,
  );
  const nextMessage = messageSource(random);
  const last = Array.from({ length: rig.partitions }, () => -1);
  let passed: number | undefined;
  let producer: Producer | undefined;
  /** kafkajs leaves out, and says nothing, what goes to a partition that was added after it had asked. */
  let isProducerOld = false;

  const firstSource = inPartitions(
    recordSource(random, { prefix: 'key', ...DEFAULT_SHARES, ...shares }),
    rig.partitions,
  );
  const sources = [firstSource];
  const messagesOf = (records: readonly PlacedRecord[]) => {
    const messages = records.map(({ key, value, headers, partition }) => {
      return { key, value, headers: { ...headers }, partition };
    });
    return { topic: chaosTopic, acks: -1, messages };
  };
  const note = (records: readonly PlacedRecord[], answers: readonly RecordMetadata[]): void => {
    for (const { partition, baseOffset } of answers) {
      const count = records.filter((record) => record.partition === partition).length;
      last[partition] = Math.max(last[partition] ?? -1, Number(baseOffset) + count - 1);
    }
  };
  const sendUntilTaken = async (records: readonly PlacedRecord[]): Promise<void> => {
    for (;;) {
      try {
        if (isProducerOld) await producer?.disconnect();
        if (isProducerOld) producer = undefined;
        isProducerOld = false;
        producer ??= await connected(kafka.producer({ idempotent: true, maxInFlightRequests: 1 }));
        note(records, await producer.send(messagesOf(records)));
        return;
      } catch (error) {
        if (rig.isClosed()) throw error;
        // After a failure kafkajs uses the same sequence for another record, which the broker would take for a repetition.
        await producer?.disconnect().catch(() => {});
        producer = undefined;
        await delay(RETRY_MS);
      }
    }
  };
  const publish = async (count: number, pushUrl: string): Promise<void> => {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const record = nextMessage();
        const data = Buffer.from(record.sequence === undefined ? POISON : JSON.stringify(record));
        const pushAgain = random.next() < DUPLICATE_SHARE;
        const messageId = await publisher.publishMessage({ data });
        published.set(messageId, record);
        if (pushAgain) await redeliver(rig, { messageId, data, pushUrl });
      }),
    );
  };
  const take = (count: number): PlacedRecord[] =>
    Array.from({ length: count }, (_, n) => (sources[n % sources.length] ?? firstSource)());

  return {
    topic: chaosTopic,
    last: () => [...last],
    published,
    send: (count) => sendUntilTaken(take(count)),
    async transact(count, end, openMs) {
      const transactional = kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        transactionalId: `penstock-chaos-${random.between(0, 2 ** 31)}`,
      });
      await transactional.connect();
      try {
        const transaction = await transactional.transaction();
        const records =
          end === 'commit' ? Array.from({ length: count }, nextTransacted) : strangers(count, rig.partitions);
        const answers = await transaction.send(messagesOf(records));
        await delay(openMs);
        await transaction[end]();
        if (end === 'commit') note(records, answers);
      } finally {
        await transactional.disconnect();
      }
    },
    async grow() {
      const added = last.length;
      await addPartition(kafka, added + 1);
      last.push(-1);
      isProducerOld = true;
      const next = recordSource(random, { prefix: `grown-${added}`, ...DEFAULT_SHARES, ...shares });
      sources.push(() => ({ ...next(), partition: added }));
    },
    publish,
    setPassed(offsets) {
      passed = offsets;
    },
    async run({ recordsPerSecond, messagesPerSecond, pushUrl, signal }) {
      let startedAt = performance.now();
      let records = 0;
      let messages = 0;
      while (!signal.aborted) {
        if (passed !== undefined && last.reduce((sum, offset) => sum + offset + 1, 0) - passed > MAX_BEHIND) {
          // A slow machine gets less, not everything later.
          startedAt += TICK_MS;
          await delay(TICK_MS);
          continue;
        }
        const seconds = (performance.now() - startedAt) / 1000;
        const due = Math.min(MAX_BURST, Math.floor(seconds * recordsPerSecond) - records);
        const duePushes = Math.min(MAX_BURST, Math.floor(seconds * messagesPerSecond) - messages);
        records += due;
        messages += duePushes;
        if (due > 0) await sendUntilTaken(take(due));
        if (duePushes > 0) await publish(duePushes, pushUrl);
        await delay(TICK_MS);
      }
    },
    async close() {
      await producer?.disconnect();
      await pubsub.close();
    },
  };
}

interface PlacedRecord extends SentRecord {
  readonly partition: number;
}

function inPartitions(next: () => SentRecord, count: number): () => PlacedRecord {
  return () => {
    const record = next();
    return { ...record, partition: record.place % count };
  };
}

/** Records that may never be seen: any of them would be a row, a count or a letter too many. */
function strangers(count: number, partitions: number): PlacedRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const value = `{"sequence":${n},"amount":1,"version":1,"slot":0,"at":"2026-01-01T00:00:00.000Z","token":"aborted-${n}"}`;
    return {
      key: `aborted-${n}`,
      value,
      headers: { version: '1', type: 'parent' },
      place: n,
      partition: n % partitions,
    };
  });
}

async function addPartition(kafka: Kafka, count: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.createPartitions({ topicPartitions: [{ topic: chaosTopic, count }] });
    // Until it has a leader, asking for its offsets fails.
    const isServed = (): Promise<boolean> =>
      admin.fetchTopicOffsets(chaosTopic).then(
        ({ length }) => length === count,
        () => false,
      );
    await waitUntil(`partition ${count - 1} is served`, isServed);
  } finally {
    await admin.disconnect();
  }
}

async function connected(producer: Producer): Promise<Producer> {
  await producer.connect();
  return producer;
}

/** Messages of 64 keys, each with a growing sequence; now and then one that was sent before, or poison. */
function messageSource(random: Random): () => PublishedRecord {
  const sequences = Array.from({ length: PUSH_KEYS }, () => 0);
  return () => {
    const place = random.between(0, PUSH_KEYS);
    const key = `key-${place}`;
    if (random.next() < PUSH_POISON_SHARE) return { key, sequence: undefined };
    const last = sequences[place] ?? 0;
    const isDuplicate = last > 0 && random.next() < DUPLICATE_SHARE;
    const sequence = isDuplicate ? random.between(1, last + 1) : last + 1;
    sequences[place] = Math.max(last, sequence);
    return { key, sequence };
  };
}

/** Pushes a message that was published before, as Pub/Sub does when it misses an answer; a refusal does not matter. */
async function redeliver(
  rig: SinkRig,
  { messageId, data, pushUrl }: { readonly messageId: string; readonly data: Buffer; readonly pushUrl: string },
): Promise<void> {
  const token = await rig.cloud.identity.mintIdToken(identities.push, pushAudience);
  const body = JSON.stringify({
    subscription: `projects/${localProject}/subscriptions/${pushSubscription}`,
    message: { messageId, data: data.toString('base64'), attributes: {}, publishTime: new Date().toISOString() },
  });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  await fetch(pushUrl, { method: 'POST', headers, body, signal: AbortSignal.timeout(5_000) }).then(
    (answer) => answer.arrayBuffer(),
    () => undefined,
  );
}
