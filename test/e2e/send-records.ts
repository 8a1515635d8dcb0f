import { Kafka, logLevel } from 'kafkajs';
import type { Stack } from '../../deploy/cli/stack/stack.ts';

/** Sends records to one partition of a topic of the stack's Kafka, in order; a null value is a tombstone. */
export async function sendRecords(
  stack: Stack,
  topic: string,
  records: readonly { readonly key: string; readonly value: string | null }[],
): Promise<void> {
  const brokers = [...(stack.declaration.kafka?.brokers ?? [])];
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: records.map((record) => ({ ...record, partition: 0 })) });
  } finally {
    await producer.disconnect();
  }
}
