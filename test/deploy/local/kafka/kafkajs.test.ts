import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type Admin, type Consumer, Kafka, logLevel } from 'kafkajs';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { codecNames, registerCodecs } from './codecs.ts';
import { consumeAll } from './consume-all.ts';

suite('openKafkaServer() with kafkajs', () => {
  let server: KafkaServer;
  let kafka: Kafka;
  let admin: Admin;

  before(async () => {
    registerCodecs();
    server = await openKafkaServer();
    kafka = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING });
    admin = kafka.admin();
    await admin.connect();
  });
  after(async () => {
    await admin.disconnect();
    await server.close();
  });

  const fill = async (topic: string, options: Parameters<ReturnType<Kafka['producer']>['send']>[0]): Promise<void> => {
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    await producer.send({ ...options, topic });
    await producer.disconnect();
  };

  test('hands a group every record that was produced, in order, and keeps what it committed', async () => {
    const sent = Array.from({ length: 100 }, (_, n) => ({ value: `v${n}`, partition: n % 2, headers: { n: `${n}` } }));
    await fill('orders', { topic: 'orders', messages: sent });
    const got = await consumeAll(kafka, { topic: 'orders', count: 100, groupId: 'readers' });
    for (const partition of [0, 1]) {
      const values = got.filter((one) => one.partition === partition).map(({ message }) => String(message.value));
      const expected = sent.filter((one) => one.partition === partition).map(({ value }) => value);
      assert.deepEqual(values, expected);
    }
    assert.equal(String(got[0]?.message.headers?.n), String(got[0]?.message.value).slice(1));
    const [offsets] = await admin.fetchOffsets({ groupId: 'readers', topics: ['orders'] });
    assert.deepEqual(
      offsets?.partitions.map(({ offset }) => offset),
      ['50', '50'],
    );
  });

  for (const [name, compression] of Object.entries(codecNames)) {
    test(`serves batches compressed with ${name} as they came`, async () => {
      const values = Array.from({ length: 200 }, (_, n) => `${name} `.repeat(n % 20) + n);
      await fill(name, { topic: name, compression, messages: values.map((value) => ({ value, partition: 0 })) });
      const got = await consumeAll(kafka, { topic: name, count: values.length });
      assert.deepEqual(
        got.map(({ message }) => String(message.value)),
        values,
      );
    });

    test(`finds an offset by time inside a batch compressed with ${name}`, async () => {
      const topic = `times-${name}`;
      const messages = [10, 20, 30, 40].map((n) => ({ value: 'x', timestamp: `${n}000000`, partition: 0 }));
      await fill(topic, { topic, compression, messages });
      const at = async (time: number): Promise<string | undefined> =>
        (await admin.fetchTopicOffsetsByTimestamp(topic, time)).find(({ partition }) => partition === 0)?.offset;
      assert.deepEqual([await at(1), await at(20_000_000), await at(20_000_001)], ['0', '1', '2']);
      assert.equal(await at(99_000_000), '4');
    });
  }

  test('gives two members of a group one partition each, and both to the one that stays', async () => {
    await fill('shared', { topic: 'shared', messages: [{ value: 'x', partition: 0 }] });
    const assignments = async (consumer: Consumer): Promise<number[]> =>
      await new Promise((resolve) => {
        const stop = consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
          stop();
          resolve(payload.memberAssignment.shared ?? []);
        });
      });
    const open = async (): Promise<Consumer> => {
      const options = { groupId: 'sharing', maxWaitTimeInMs: 20, heartbeatInterval: 50, sessionTimeout: 6000 };
      const consumer = kafka.consumer(options);
      await consumer.connect();
      await consumer.subscribe({ topic: 'shared' });
      return consumer;
    };
    const run = (consumer: Consumer): Promise<void> => consumer.run({ eachMessage: async () => {} });
    const first = await open();
    const alone = assignments(first);
    await run(first);
    assert.deepEqual(await alone, [0, 1]);
    const second = await open();
    const both = [assignments(first), assignments(second)];
    await run(second);
    const halves = await Promise.all(both);
    assert.deepEqual(halves.flat().sort(), [0, 1]);
    assert.deepEqual(
      halves.map(({ length }) => length),
      [1, 1],
    );
    const again = assignments(first);
    await second.disconnect();
    assert.deepEqual(await again, [0, 1]);
    await first.disconnect();
  });

  test('refuses a record over max.message.bytes, and takes it after the limit was raised', async () => {
    await admin.createTopics({ topics: [{ topic: 'large', numPartitions: 1 }] });
    const producer = kafka.producer({ retry: { retries: 0 } });
    await producer.connect();
    const send = () => producer.send({ topic: 'large', messages: [{ value: Buffer.alloc(2_000_000) }] });
    await assert.rejects(send(), { type: 'MESSAGE_TOO_LARGE' });
    const configEntries = [{ name: 'max.message.bytes', value: '16777216' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: 'large', configEntries }] });
    assert.equal((await send())[0]?.baseOffset, '0');
    const described = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: 'large' }] });
    const limit = described.resources[0]?.configEntries.find(({ configName }) => configName === 'max.message.bytes');
    assert.equal(limit?.configValue, '16777216');
    await producer.disconnect();
  });

  test('grows a topic, deletes its records, and refuses what cannot be', async () => {
    await fill('grown', { topic: 'grown', messages: ['a', 'b', 'c'].map((value) => ({ value, partition: 0 })) });
    await admin.createPartitions({ topicPartitions: [{ topic: 'grown', count: 3 }] });
    // kafkajs looks for the leader before it has asked for the topic: asking for offsets fills its metadata.
    await admin.fetchTopicOffsets('grown');
    await admin.deleteTopicRecords({ topic: 'grown', partitions: [{ partition: 0, offset: '2' }] });
    const offsets = await admin.fetchTopicOffsets('grown');
    assert.deepEqual(
      offsets.sort((one, other) => one.partition - other.partition).map(({ low, high }) => [low, high]),
      [
        ['2', '3'],
        ['0', '0'],
        ['0', '0'],
      ],
    );
    const create = (topic: string, configEntries: { name: string; value: string }[], replicationFactor = 1) =>
      admin.createTopics({ topics: [{ topic, configEntries, replicationFactor }] });
    await assert.rejects(create('bad name', []), { name: 'KafkaJSAggregateError' });
    await assert.rejects(create('t', [{ name: 'retention.ms', value: 'soon' }]), { name: 'KafkaJSAggregateError' });
    await assert.rejects(create('t', [], 3), { name: 'KafkaJSAggregateError' });
    assert.equal(await create('grown', []), false);
  });

  test('makes a missing topic only where it was told to', async () => {
    const producer = kafka.producer({ retry: { retries: 0 } });
    await producer.connect();
    const send = (sender: typeof producer) => sender.send({ topic: 'unmade', messages: [{ value: 'x' }] });
    await assert.rejects(send(producer), /does not host this topic-partition/);
    await producer.disconnect();
    const willing = await openKafkaServer({ autoCreateTopics: true, defaultPartitions: 3 });
    const other = new Kafka({ brokers: [willing.address], logLevel: logLevel.NOTHING });
    const [maker, asker] = [other.producer(), other.admin()];
    await Promise.all([maker.connect(), asker.connect()]);
    await send(maker);
    assert.equal((await asker.fetchTopicOffsets('unmade')).length, 3);
    await Promise.all([maker.disconnect(), asker.disconnect()]);
    await willing.close();
  });

  test('takes a batch with acks 0 without an answer', async () => {
    await admin.createTopics({ topics: [{ topic: 'unasked', numPartitions: 1 }] });
    const producer = kafka.producer();
    await producer.connect();
    const values = Array.from({ length: 5 }, (_, n) => `v${n}`);
    for (const value of values) await producer.send({ topic: 'unasked', acks: 0, messages: [{ value }] });
    const got = await consumeAll(kafka, { topic: 'unasked', count: values.length });
    assert.deepEqual(
      got.map(({ message }) => String(message.value)),
      values,
    );
    await producer.disconnect();
  });

  test('describes, lists and deletes groups', async () => {
    await fill('listed', { topic: 'listed', messages: [{ value: 'x', partition: 0 }] });
    await consumeAll(kafka, { topic: 'listed', count: 1, groupId: 'done' });
    const { groups } = await admin.describeGroups(['done']);
    assert.equal(groups[0]?.state, 'Empty');
    assert.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === 'done'));
    await admin.deleteGroups(['done']);
    assert.ok(!(await admin.listGroups()).groups.some(({ groupId }) => groupId === 'done'));
    await assert.rejects(admin.deleteGroups(['never']), { name: 'KafkaJSDeleteGroupsError' });
  });
});
