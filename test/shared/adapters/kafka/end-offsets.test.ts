import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { type EndOffsets, openEndOffsets } from '../../../../shared/adapters/kafka/end-offsets.ts';
import { plainAccess } from './driver-fixture.ts';

let server: KafkaServer;
let ends: EndOffsets;

before(async () => {
  server = await openKafkaServer();
  const kafka = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      { topic: 'flights', numPartitions: 2 },
      { topic: 'empty', numPartitions: 1 },
    ],
  });
  await admin.disconnect();
  const producer = kafka.producer();
  await producer.connect();
  const messages = [0, 1, 1, 1].map((partition, n) => ({ partition, value: 'x', timestamp: String((n + 1) * 1_000) }));
  await producer.send({ topic: 'flights', messages });
  await producer.disconnect();
  ends = openEndOffsets(async () => plainAccess(server.address), 5_000);
});
after(async () => {
  await ends.close();
  await server.close();
});

test('read() tells where each partition begins and ends, again and again', async () => {
  for (const _ of [1, 2]) {
    const found = await ends.read(['flights', 'empty']);
    assert.deepEqual(found.get('flights'), [
      { partition: 0, lowOffset: 0n, endOffset: 1n, lowTimeMs: 1_000 },
      { partition: 1, lowOffset: 0n, endOffset: 3n, lowTimeMs: 2_000 },
    ]);
    assert.deepEqual(found.get('empty'), [{ partition: 0, lowOffset: 0n, endOffset: 0n, lowTimeMs: undefined }]);
  }
});

test('read() knows nothing of a topic that does not exist, and still of the others', async () => {
  const found = await ends.read(['missing', 'flights']);
  assert.equal(found.get('missing'), undefined);
  assert.equal(found.get('flights')?.length, 2);
});

test('find() names the topics that match, and nothing while the brokers are down', async () => {
  assert.deepEqual(await ends.find(/^(?:.*)$/u), ['empty', 'flights']);
  assert.deepEqual(await ends.find(/^none$/u), []);
  const down = openEndOffsets(async () => plainAccess('127.0.0.1:1'), 2_000);
  assert.equal(await down.find(/^flights$/u), undefined);
  await down.close();
});

test('read() asks how the brokers are reached again where that failed', async () => {
  let asked = 0;
  const rotating = openEndOffsets(async () => {
    asked += 1;
    if (asked === 1) throw new Error('the secret cannot be read');
    return plainAccess(server.address);
  }, 5_000);
  assert.equal((await rotating.read(['flights'])).get('flights'), undefined);
  assert.equal((await rotating.read(['flights'])).get('flights')?.length, 2);
  await rotating.close();
});

test('read() knows nothing while the brokers are down, and recovers when they come', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const address = free.address();
  assert.ok(address !== null && typeof address === 'object');
  free.close();
  await once(free, 'close');
  const late = openEndOffsets(async () => plainAccess(`127.0.0.1:${address.port}`), 2_000);
  assert.equal((await late.read(['flights'])).get('flights'), undefined);
  const arrived = await openKafkaServer({ port: address.port, autoCreateTopics: true });
  const admin = new Kafka({ brokers: [arrived.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'flights', numPartitions: 1 }] });
  await admin.disconnect();
  assert.equal((await late.read(['flights'])).get('flights')?.length, 1);
  await late.close();
  await arrived.close();
});

test('read() waits for brokers that accept and say nothing no longer than its deadline', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  assert.ok(address !== null && typeof address === 'object');
  const slow = openEndOffsets(async () => plainAccess(`127.0.0.1:${address.port}`), 100);
  assert.equal((await slow.read(['flights'])).get('flights'), undefined);
  await slow.close();
  silent.close();
});
