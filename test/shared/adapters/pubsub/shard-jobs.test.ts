import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, PubSub } from '@google-cloud/pubsub';
import { openPubSubServer } from '../../../../deploy/local/pubsub/server.ts';
import { openShardJobs } from '../../../../shared/adapters/pubsub/shard-jobs.ts';

test('openShardJobs() publishes a message for each shard, with the trace of the plan where there is one', async () => {
  const server = await openPubSubServer({ mintIdToken: async () => 'none' });
  process.env.PUBSUB_EMULATOR_HOST = server.address;
  // Else Google's libraries search for a metadata server, and warn that there is none.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const client = new PubSub({ projectId: 'p' });
  const jobs = openShardJobs('shards', 'p');
  try {
    await assert.rejects(jobs.publish('e', [0]), { code: 'CONFIG', message: /no topic shards/ });
    const [topic] = await client.createTopic('shards');
    const [subscription] = await topic.createSubscription('shards');
    const traceparent = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`;
    await jobs.publish('e', [3], traceparent);
    await jobs.publish('e', [4]);
    const got: Message[] = [];
    await new Promise<void>((resolve, reject) => {
      subscription.on('error', reject).on('message', (message: Message) => {
        message.ack();
        if (got.push(message) === 2) resolve();
      });
    });
    const byData = got.map(({ data, attributes }) => [data.toString(), { ...attributes }]);
    assert.deepEqual(byData.sort(), [
      ['{"epoch":"e","shard":3}', { traceparent }],
      ['{"epoch":"e","shard":4}', {}],
    ]);
    await subscription.close();
  } finally {
    await jobs.close();
    await client.close();
    await server.close();
    delete process.env.PUBSUB_EMULATOR_HOST;
  }
});
