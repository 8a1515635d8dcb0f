import { PubSub } from '@google-cloud/pubsub';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { localProject } from '../../local/project.ts';
import type { Airport } from './airports.ts';
import type { Flight } from './flights.ts';

/**
 * Sends flights to Kafka, keyed by flight, from an idempotent producer.
 *
 * @param onSent called with how many have been acknowledged in all
 */
export async function sendFlights(
  brokers: readonly string[],
  topic: string,
  flights: AsyncIterable<readonly Flight[]>,
  onSent: (count: number, chunk: readonly Flight[]) => void,
): Promise<void> {
  const kafka = kafkajsClient({ clientId: 'penstock-demo', brokers: [...brokers] });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    let count = 0;
    for await (const chunk of flights) {
      const messages = chunk.map(({ id, ...value }) => ({ key: id, value: JSON.stringify(value) }));
      await producer.send({ topic, acks: -1, messages });
      count += chunk.length;
      onSent(count, chunk);
    }
  } finally {
    await producer.disconnect();
  }
}

/** Publishes airports to Pub/Sub. */
export async function sendAirports(
  topic: string,
  airports: readonly Airport[],
  onSent: (count: number) => void,
): Promise<void> {
  const client = new PubSub({ projectId: localProject });
  const publisher = client.topic(topic, { batching: { maxMessages: 500, maxMilliseconds: 20 } });
  try {
    let count = 0;
    await Promise.all(
      airports.map(async (airport) => {
        await publisher.publishMessage({ json: airport });
        onSent(++count);
      }),
    );
  } finally {
    await client.close();
  }
}
