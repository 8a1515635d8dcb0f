import type { Kafka, Producer } from 'kafkajs';
import { kafkajsClient } from '../../shared/adapters/kafka/kafkajs-client.ts';
import type { CloudWriter } from './cloud-writer.ts';
import { waitUntil } from './wait-until.ts';

const TOPIC = 'crash';
const PARTITIONS = 2;

/** Writes records with an idempotent producer. */
export async function openKafkaWriter(brokers: string): Promise<CloudWriter> {
  const kafka = kafkajsClient({ clientId: 'penstock-chaos', brokers: [brokers], requestTimeout: 5_000 });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] });
  await admin.disconnect();
  /** `partition/offset` → id. */
  const acknowledged = new Map<string, number>();
  const sent = new Set<number>();
  let producer: Producer | undefined;
  return {
    name: 'kafka',
    async write(id) {
      sent.add(id);
      try {
        producer ??= await openProducer(kafka);
        const partition = id % PARTITIONS;
        const [answer] = await producer.send({ topic: TOPIC, messages: [{ value: String(id), partition }] });
        acknowledged.set(`${partition}/${answer?.baseOffset}`, id);
      } catch (error) {
        // After a failure kafkajs uses the same sequence for another record, which the broker would take for a repetition.
        await producer?.disconnect().catch(() => {});
        producer = undefined;
        throw error;
      }
    },
    async check() {
      const found = await readTopic(kafka);
      const times = new Map<number, number>();
      for (const id of found.values()) times.set(id, (times.get(id) ?? 0) + 1);
      return {
        acknowledged: acknowledged.size,
        lost: [...acknowledged].filter(([place, id]) => found.get(place) !== id).length,
        doubled: [...times.values()].reduce((sum, count) => sum + count - 1, 0),
        strange: [...times.keys()].filter((id) => !sent.has(id)).length,
      };
    },
    async close() {
      await producer?.disconnect().catch(() => {});
    },
  };
}

async function openProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return producer;
}

/** Every record of the topic by `partition/offset`. */
async function readTopic(kafka: Kafka): Promise<Map<string, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(TOPIC);
  await admin.disconnect();
  const total = ends.reduce((sum, { high }) => sum + Number(high), 0);
  const found = new Map<string, number>();
  const consumer = kafka.consumer({ groupId: `check-${Date.now()}`, maxWaitTimeInMs: 20 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message }) =>
        void found.set(`${partition}/${message.offset}`, Number(message.value?.toString())),
    });
    await waitUntil('the whole topic has been read', () => found.size >= total, 60_000);
  } finally {
    await consumer.disconnect();
  }
  return found;
}
