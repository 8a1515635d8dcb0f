import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';

/** Creates a Kafka topic unless it is there. */
export async function createTopic(
  brokers: readonly string[],
  topic: { readonly name: string; readonly partitions: number; readonly maxMessageBytes: number },
): Promise<void> {
  const admin = kafkajsClient({ clientId: 'penstock', brokers: [...brokers] }).admin();
  await admin.connect();
  try {
    await admin.createTopics({
      topics: [
        {
          topic: topic.name,
          numPartitions: topic.partitions,
          configEntries: [{ name: 'max.message.bytes', value: String(topic.maxMessageBytes) }],
        },
      ],
    });
  } finally {
    await admin.disconnect();
  }
}
