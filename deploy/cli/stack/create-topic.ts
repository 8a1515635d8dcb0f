import { Kafka, logLevel } from 'kafkajs';

/** Creates a Kafka topic unless it is there. */
export async function createTopic(
  brokers: readonly string[],
  topic: { readonly name: string; readonly partitions: number; readonly maxMessageBytes: number },
): Promise<void> {
  const admin = new Kafka({ clientId: 'penstock', brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
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
