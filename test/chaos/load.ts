import { setTimeout as delay } from 'node:timers/promises';
import { PubSub } from '@google-cloud/pubsub';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { localProject } from '../../deploy/local/project.ts';
import { kafkajsClient } from '../../shared/adapters/kafka/kafkajs-client.ts';
import type { ProducedHistory, ProducedRecord } from './history.ts';
import type { Random } from './random.ts';
import { chaosTopic, pushAudience, pushSubscription, type SinkRig } from './sink-rig.ts';

const KEYS = 64;
const DUPLICATE_SHARE = 0.05;
const POISON_SHARE = 0.01;
const TICK_MS = 50;
/** What no pipeline can read. */
const POISON = ['{"sequence": 1', '{"other": 1}', '{"sequence": "many"}'] as const;

/** A producer that remembers what was acknowledged. */
export interface Load {
  readonly history: ProducedHistory;
  /** Sends this many records, and resolves when all are acknowledged. */
  send(records: number): Promise<void>;
  /** Publishes this many messages, some of which are then pushed once more. */
  publish(messages: number, pushUrl: string): Promise<void>;
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
export async function openLoad(rig: SinkRig, random: Random): Promise<Load> {
  const kafka = kafkajsClient({ clientId: 'penstock-chaos', brokers: [...rig.brokers] });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const pubsub = new PubSub({ projectId: localProject });
  const publisher = pubsub.topic(pushSubscription, { batching: { maxMessages: 20, maxMilliseconds: 5 } });
  const partitions = Array.from({ length: rig.partitions }, (): ProducedRecord[] => []);
  const published = new Map<string, ProducedRecord>();
  const next = recordSource(random);

  const send = async (count: number): Promise<void> => {
    const sent = Array.from({ length: count }, () => next());
    const answers = await producer.send({
      topic: chaosTopic,
      acks: -1,
      messages: sent.map(({ record, value, place }) => ({
        key: record.key,
        value,
        partition: place % rig.partitions,
      })),
    });
    for (const { partition, baseOffset } of answers) {
      const log = partitions[partition] ?? [];
      if (Number(baseOffset) !== log.length) {
        throw new Error(`The broker put a record at ${partition}/${baseOffset}; the log ended at ${log.length}`);
      }
      for (const { record, place } of sent) if (place % rig.partitions === partition) log.push(record);
    }
  };

  const publish = async (count: number, pushUrl: string): Promise<void> => {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const { record, value } = next();
        const data = Buffer.from(record.sequence === undefined ? value : JSON.stringify(record));
        const pushAgain = random.next() < DUPLICATE_SHARE;
        const messageId = await publisher.publishMessage({ data });
        published.set(messageId, record);
        if (pushAgain) await redeliver(rig, { messageId, data, pushUrl });
      }),
    );
  };

  return {
    history: { topic: chaosTopic, partitions, published },
    send,
    publish,
    async run({ recordsPerSecond, messagesPerSecond, pushUrl, signal }) {
      const startedAt = performance.now();
      let records = 0;
      let messages = 0;
      while (!signal.aborted) {
        const seconds = (performance.now() - startedAt) / 1000;
        const due = Math.floor(seconds * recordsPerSecond) - records;
        const duePushes = Math.floor(seconds * messagesPerSecond) - messages;
        records += due;
        messages += duePushes;
        if (due > 0) await send(due);
        if (duePushes > 0) await publish(duePushes, pushUrl);
        await delay(TICK_MS);
      }
    },
    async close() {
      await producer.disconnect();
      await pubsub.close();
    },
  };
}

interface Next {
  readonly record: ProducedRecord;
  readonly value: string;
  /** The same for every record of a key. */
  readonly place: number;
}

/** Records of 64 keys, each with a growing sequence; now and then one that was sent before, or poison. */
function recordSource(random: Random): () => Next {
  const sequences = Array.from({ length: KEYS }, () => 0);
  return () => {
    const place = random.between(0, KEYS);
    const key = `key-${place}`;
    if (random.next() < POISON_SHARE) {
      return { record: { key, sequence: undefined }, value: random.pick(POISON), place };
    }
    const last = sequences[place] ?? 0;
    const isDuplicate = last > 0 && random.next() < DUPLICATE_SHARE;
    const sequence = isDuplicate ? random.between(1, last + 1) : last + 1;
    sequences[place] = Math.max(last, sequence);
    return { record: { key, sequence }, value: JSON.stringify({ sequence }), place };
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
