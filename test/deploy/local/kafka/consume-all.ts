import { randomUUID } from 'node:crypto';
import type { EachMessagePayload, Kafka } from 'kafkajs';

/** Reads a topic from its start with a kafkajs group, until `count` records have come. */
export async function consumeAll(
  kafka: Kafka,
  options: { topic: string; count: number; groupId?: string; readUncommitted?: boolean },
): Promise<EachMessagePayload[]> {
  const { topic, count, groupId = randomUUID(), readUncommitted = false } = options;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 20, readUncommitted });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const records: EachMessagePayload[] = [];
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async (payload: EachMessagePayload): Promise<void> => {
      if (records.push(payload) === count) resolve();
    };
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return records;
}
