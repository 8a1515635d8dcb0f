import type { Admin } from 'kafkajs';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { startCloud } from '../cloud-process.ts';
import { openTargets } from './ingest-stage.ts';

/** Empty servers, each in a process of its own: neither waits for what the other does, nor for its garbage collection. */
export interface BenchServers {
  readonly brokers: string;
  readonly admin: Admin;
  readonly targets: ReturnType<typeof openTargets>;
}

/**
 * Starts Kafka and Spanner for `work`, and ends them after it. One at a time: sinks find them by this process' environment.
 *
 * @param dir takes the declarations of the runs
 */
export async function withServers<R>(dir: string, work: (servers: BenchServers) => Promise<R>): Promise<R> {
  const [spanner, kafka] = await Promise.all([startCloud(), startCloud()]);
  const brokers = kafka.env.KAFKA_BROKERS ?? '';
  const targets = openTargets({ ...spanner.env, KAFKA_BROKERS: brokers }, dir);
  const admin = kafkajsClient({ clientId: 'bench', brokers: [brokers] }).admin();
  try {
    await admin.connect();
    return await work({ brokers, admin, targets });
  } finally {
    await admin.disconnect();
    targets.close();
    await Promise.all([spanner.stop(), kafka.stop()]);
  }
}
