import { kafkajsClient } from '../../shared/adapters/kafka/kafkajs-client.ts';
import type { TopicRecord } from './history.ts';
import { waitWhileMoving } from './wait-until.ts';

/**
 * Tells every committed record of a topic, each partition's in order, as a client that is not ours reads them.
 *
 * @param last by partition: the last offset that must come, or -1
 */
export async function readTopic(
  brokers: readonly string[],
  { topic, last }: { readonly topic: string; readonly last: readonly number[] },
  see: (record: TopicRecord) => void,
): Promise<void> {
  const kafka = kafkajsClient({ clientId: 'penstock-checker', brokers: [...brokers] });
  const consumer = kafka.consumer({ groupId: `checker-${Date.now()}`, maxWaitTimeInMs: 50, readUncommitted: false });
  const seen = last.map(() => -1);
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const offset = Number(message.offset);
        // A group that is balanced again may be told the same record twice.
        if (offset <= (seen[partition] ?? -1)) return;
        seen[partition] = offset;
        const { key, value, headers = {} } = message;
        const [version, type] = [headers.version, headers.type].map(String);
        const text = value === null ? null : value.toString();
        see({ partition, offset, key: key?.toString() ?? '', value: text, version: version ?? '', type: type ?? '' });
      },
    });
    await waitWhileMoving('the whole topic has been read', () => {
      const isDone = last.every((offset, partition) => (seen[partition] ?? -1) >= offset);
      return { isDone, state: `offsets ${seen.join(', ')} of ${last.join(', ')}` };
    });
  } finally {
    await consumer.disconnect();
  }
}
