import { setTimeout as delay } from 'node:timers/promises';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';

const SERVED_WITHIN_MS = 60_000;
const POLL_MS = 50;

/**
 * Creates a Kafka topic unless it is there, and waits until the brokers serve it.
 *
 * For a moment after creation Apache Kafka answers that it does not know the topic; kafkajs, when it waits for leaders
 * itself, takes that for final.
 *
 * @throws {Error} when the topic is not served within a minute, with the last refusal as its cause
 */
export async function createTopic(
  brokers: readonly string[],
  topic: { readonly name: string; readonly partitions: number; readonly maxMessageBytes: number },
): Promise<void> {
  const admin = kafkajsClient({ clientId: 'penstock', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    const isCreated = await admin.createTopics({
      waitForLeaders: false,
      topics: [
        {
          topic: topic.name,
          numPartitions: topic.partitions,
          configEntries: [{ name: 'max.message.bytes', value: String(topic.maxMessageBytes) }],
        },
      ],
    });
    // A topic that was there keeps its own number of partitions.
    await untilServed(topic.name, isCreated ? topic.partitions : 1, async () => {
      return (await admin.fetchTopicOffsets(topic.name)).length;
    });
  } finally {
    await admin.disconnect();
  }
}

async function untilServed(topic: string, partitions: number, count: () => Promise<number>): Promise<void> {
  const deadline = performance.now() + SERVED_WITHIN_MS;
  for (;;) {
    let cause: unknown;
    try {
      if ((await count()) >= partitions) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline)
      throw new Error(
        `Topic ${topic} was created, but its ${partitions} partitions are not served after ${SERVED_WITHIN_MS} ms: look at the brokers' log, then start again`,
        { cause },
      );
    await delay(POLL_MS);
  }
}
