import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';

suite('openKafkaServer() with kafkajs', () => {
  let server: KafkaServer;
  let kafka: Kafka;

  before(async () => {
    server = await openKafkaServer();
    kafka = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING });
  });
  after(() => server.close());

  test('hands a group every record that was produced, in order', async () => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 2 }] });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    const sent = Array.from({ length: 100 }, (_, n) => ({ key: `k${n}`, value: `v${n}`, partition: n % 2 }));
    await producer.send({ topic: 'orders', messages: sent });

    const consumer = kafka.consumer({ groupId: 'readers', maxWaitTimeInMs: 50 });
    await consumer.connect();
    await consumer.subscribe({ topic: 'orders', fromBeginning: true });
    const got: { partition: number; message: KafkaMessage }[] = [];
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            if (got.push({ partition, message }) === sent.length) resolve();
          },
        })
        .catch(reject);
    });
    for (const partition of [0, 1]) {
      const values = got.filter((one) => one.partition === partition).map(({ message }) => String(message.value));
      assert.deepEqual(
        values,
        sent.filter((one) => one.partition === partition).map(({ value }) => value),
      );
    }
    await consumer.disconnect();
    const offsets = await admin.fetchOffsets({ groupId: 'readers', topics: ['orders'] });
    assert.deepEqual(
      offsets[0]?.partitions.map(({ offset }) => offset),
      ['50', '50'],
    );
    await producer.disconnect();
    await admin.disconnect();
  });
});
