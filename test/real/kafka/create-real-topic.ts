import { createTopic } from '../../../deploy/cli/stack/create-topic.ts';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { waitUntil } from '../../chaos/wait-until.ts';

const WITHIN_MS = 60_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Creates a topic, after deleting the one of that name if there is one, and waits until the broker serves it. */
export async function createRealTopic(brokers: readonly string[], topic: string, partitions: number): Promise<void> {
  const admin = kafkajsClient({ clientId: 'penstock-real', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    if ((await admin.listTopics()).includes(topic)) {
      await admin.deleteTopics({ topics: [topic] });
      await waitUntil(`topic ${topic} is gone`, async () => !(await admin.listTopics()).includes(topic), WITHIN_MS);
    }
  } finally {
    await admin.disconnect();
  }
  await createTopic(brokers, { name: topic, partitions, maxMessageBytes: MAX_MESSAGE_BYTES });
}
