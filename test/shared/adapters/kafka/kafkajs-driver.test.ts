import assert from 'node:assert/strict';
import { test } from 'node:test';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import type { PartitionBatch } from '../../../../shared/adapters/kafka/driver.ts';
import { openKafkajsDriver } from '../../../../shared/adapters/kafka/kafkajs-driver.ts';
import { noLog } from '../../../../shared/base/log.ts';

const { None, GZIP, Snappy, LZ4, ZSTD } = CompressionTypes;

test('openKafkajsDriver() delivers what was produced in every codec, from the offset that it was sent to', async () => {
  const server = await openKafkaServer();
  const driver = openKafkajsDriver({
    access: { brokers: [server.address], tls: undefined, auth: undefined },
    clientId: 'test',
    log: noLog,
  });
  const client = new kafkajs.Kafka({ brokers: [server.address], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  assert.equal(await driver.describeTopic('t'), undefined);
  await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = client.producer();
  await producer.connect();
  const values: string[] = [];
  for (const compression of [None, GZIP, Snappy, LZ4, ZSTD]) {
    const messages = Array.from({ length: 50 }, (_, at) => `${compression}-${at}-${'x'.repeat(at * 20)}`);
    values.push(...messages);
    await producer.send({
      topic: 't',
      compression,
      messages: messages.map((value) => ({ key: 'k', value, headers: { h: '1' } })),
    });
  }
  await producer.disconnect();
  const state = await driver.describeTopic('t');
  assert.deepEqual(state?.partitions, [{ partition: 0, earliest: 0n, end: 250n }]);

  const received: PartitionBatch[] = [];
  const done = Promise.withResolvers<void>();
  const subscription = await driver.subscribe(
    { group: 'g', topics: ['t'], maxWaitMs: 10, sessionTimeoutMs: 30_000 },
    {
      onAssigned: (partitions, current) => {
        assert.deepEqual(partitions, [{ topic: 't', partition: 0, kept: false }]);
        current.seek({ topic: 't', partition: 0 }, 5n);
      },
      onBatch: async (batch) => {
        received.push(batch);
        if (batch.nextOffset === 250n) done.resolve();
      },
      onPositionLost: (_, error) => done.reject(error),
      onEnded: done.reject,
    },
  );
  await done.promise;
  await subscription.stop();
  await driver.close();
  await server.close();
  const records = received.filter(({ fetchedFrom }) => fetchedFrom >= 5n).flatMap((batch) => batch.records);
  assert.deepEqual(
    records.map(({ value }) => String(value)),
    values.slice(5),
  );
  assert.deepEqual(records[0]?.headers, [{ name: 'h', value: Buffer.from('1') }]);
});
