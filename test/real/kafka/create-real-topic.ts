import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { waitUntil } from '../../chaos/wait-until.ts';

const WITHIN_MS = 10_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * Creates a topic, after deleting the one of that name if there is one, and waits until the broker serves it.
 *
 * For a moment after creation Apache Kafka answers that it does not know the topic; kafkajs, when it waits for leaders
 * itself, takes that for final.
 */
export async function createRealTopic(brokers: readonly string[], topic: string, partitions: number): Promise<void> {
  const admin = kafkajsClient({ clientId: 'penstock-real', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    if ((await admin.listTopics()).includes(topic)) {
      await admin.deleteTopics({ topics: [topic] });
      await waitUntil(`topic ${topic} is gone`, async () => !(await admin.listTopics()).includes(topic), WITHIN_MS);
    }
    const configEntries = [{ name: 'max.message.bytes', value: String(MAX_MESSAGE_BYTES) }];
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: partitions, configEntries }] });
    const isServed = async (): Promise<boolean> => {
      const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
      return offsets.length === partitions;
    };
    await waitUntil(`topic ${topic} is served`, isServed, WITHIN_MS);
  } finally {
    await admin.disconnect();
  }
}
