import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admin } from '@platformatic/kafka';
import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { openTopicIds } from '../../../../shared/adapters/kafka/topic-ids.ts';

test('openTopicIds() reads the ids that another client reads, over a broker that went and came back', async () => {
  let server = await openKafkaServer();
  const port = Number(server.address.split(':')[1]);
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [server.address] });
  const ids = openTopicIds(['127.0.0.1:1', server.address], 'test');
  await admin.createTopics({ topics: ['one', 'two'], partitions: 2 });
  const { topics } = await admin.metadata({ topics: ['one', 'two'] });
  const [one, two] = await Promise.all([ids.read('one'), ids.read('two')]);
  assert.deepEqual([one, two], [topics.get('one')?.id, topics.get('two')?.id]);
  assert.equal(await ids.read('three'), undefined);
  await admin.close();
  await server.close();
  await assert.rejects(ids.read('one'));
  server = await openKafkaServer({ port });
  assert.equal(await ids.read('one'), undefined);
  await ids.close();
  await server.close();
});
