import { PubSub } from '@google-cloud/pubsub';
import { localProject } from '../../deploy/local/project.ts';
import type { CloudWriter } from './cloud-writer.ts';
import { becomesTrue } from './wait-until.ts';

const RECEIVE_TIMEOUT_MS = 60_000;

/** Publishes messages; a streaming subscriber takes them, over every crash. */
export async function openPubSubWriter(host: string): Promise<CloudWriter> {
  process.env.PUBSUB_EMULATOR_HOST = host;
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const client = new PubSub({ projectId: localProject });
  const [topic] = await client.createTopic('crash');
  const [subscription] = await topic.createSubscription('crash', { ackDeadlineSeconds: 10 });
  topic.setPublishOptions({ batching: { maxMessages: 1 } });
  const acknowledged = new Set<number>();
  const sent = new Set<number>();
  const received = new Set<number>();
  subscription.on('message', (message) => {
    received.add(Number(message.data.toString()));
    message.ack();
  });
  // The stream is opened again by the client itself; only what it gives up on comes here.
  subscription.on('error', () => subscription.open());
  return {
    name: 'pubsub',
    async write(id) {
      sent.add(id);
      await topic.publishMessage({ data: Buffer.from(String(id)) });
      acknowledged.add(id);
    },
    async check() {
      const missing = (): number[] => [...acknowledged].filter((id) => !received.has(id));
      await becomesTrue(() => missing().length === 0, RECEIVE_TIMEOUT_MS);
      return {
        acknowledged: acknowledged.size,
        lost: missing().length,
        // A subscription without exactly-once delivery may deliver twice.
        doubled: 0,
        strange: [...received].filter((id) => !sent.has(id)).length,
      };
    },
    async close() {
      await subscription.close().catch(() => {});
      await client.close();
    },
  };
}
