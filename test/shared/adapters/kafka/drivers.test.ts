import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompressionTypes } from 'kafkajs';
import { openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import type { DriverName } from '../../../../shared/adapters/kafka/open-driver.ts';
import { openDriver, openKafka, Recorder } from './driver-fixture.ts';

const drivers: readonly DriverName[] = ['wire', 'kafkajs', 'platformatic'];
const { None, GZIP, Snappy, LZ4, ZSTD } = CompressionTypes;
const t0 = { topic: 't', partition: 0 };

for (const name of drivers) {
  test(`${name}: describeTopic() and findTopics() tell what there is`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    assert.equal(await driver.describeTopic('t'), undefined);
    assert.equal(await driver.topicId('t'), undefined);
    await kafka.create('t', 2);
    await kafka.create('other');
    await kafka.send('t', 1, 'a', 'b');
    const state = await driver.describeTopic('t');
    assert.deepEqual(state?.partitions, [
      { partition: 0, earliest: 0n, end: 0n },
      { partition: 1, earliest: 0n, end: 2n },
    ]);
    assert.match(state?.topicId ?? '', /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    assert.equal(await driver.topicId('t'), state?.topicId);
    assert.deepEqual(await driver.findTopics(/t/g), ['other', 't']);
    assert.deepEqual(await driver.findTopics(/^o/), ['other']);
    assert.deepEqual(await driver.findTopics(['t', 'missing']), ['t']);
    await driver.close();
  });

  test(`${name}: delivers every codec's records in order, from the offset that was sought`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    await kafka.create('t');
    const sent: string[] = [];
    for (const compression of [None, GZIP, Snappy, LZ4, ZSTD]) {
      const values = Array.from({ length: 50 }, (_, at) => `${compression}-${at}-${'x'.repeat(at * 20)}`);
      sent.push(...values);
      const messages = values.map((value) => ({
        key: 'k',
        value,
        headers: { h: ['1', '2'] },
        timestamp: '1700000000000',
      }));
      await kafka.producer.send({ topic: 't', compression, messages });
    }
    await kafka.producer.send({ topic: 't', messages: [{ key: null, value: null }] });
    const recorder = new Recorder();
    recorder.startOf = () => 5n;
    await recorder.subscribe(driver, ['t']);
    await recorder.until('all has come', () => recorder.batches.at(-1)?.nextOffset === 251n);
    await recorder.subscription?.stop();
    const records = recorder.batches.filter(({ fetchedFrom }) => fetchedFrom >= 5n).flatMap((batch) => batch.records);
    assert.deepEqual(
      records.slice(0, -1).map(({ value }) => String(value)),
      sent.slice(5),
    );
    assert.deepEqual(
      records.map(({ offset }) => offset),
      sent.map((_, at) => BigInt(at + 5)).slice(0, 246),
    );
    const [first] = records;
    assert.deepEqual(
      [first?.key, first?.headers, first?.timestampMs, first?.topic, first?.partition],
      [
        Buffer.from('k'),
        [
          { name: 'h', value: Buffer.from('1') },
          { name: 'h', value: Buffer.from('2') },
        ],
        1.7e12,
        't',
        0,
      ],
    );
    assert.deepEqual([records.at(-1)?.key, records.at(-1)?.value, records.at(-1)?.headers], [null, null, []]);
    assert.equal(recorder.batches.at(-1)?.highWatermark, 251n);
    await driver.close();
  });

  test(`${name}: leaves out what transactions gave up, and passes over their markers`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    await kafka.create('t');
    const producer = kafka.client.producer({ transactionalId: 'x', maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    for (const [value, isGood] of [
      ['a', true],
      ['b', false],
      ['c', true],
      ['d', false],
      ['e', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 't', messages: [{ value }, { value: `${value}2` }] });
      await (isGood ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const recorder = await new Recorder().subscribe(driver, ['t']);
    await recorder.until('the last marker is passed', () => recorder.batches.at(-1)?.nextOffset === 15n);
    assert.deepEqual(recorder.values(), ['a', 'a2', 'c', 'c2']);
    await recorder.subscription?.stop();
    await driver.close();
  });

  test(`${name}: a paused partition delivers nothing; sought and resumed it goes on there`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    await kafka.create('t', 2);
    await kafka.send('t', 0, 'a', 'b', 'c');
    const recorder = new Recorder();
    recorder.during = async ({ partition }) => {
      if (partition === 0) recorder.subscription?.pause(t0);
    };
    await recorder.subscribe(driver, ['t']);
    await recorder.until('the first batch is there', () => recorder.values(t0).length === 3);
    await kafka.send('t', 0, 'd');
    await kafka.send('t', 1, 'other');
    await recorder.until('the other partition has come', () => recorder.values().includes('other'));
    assert.deepEqual(recorder.values(t0), ['a', 'b', 'c']);
    recorder.during = async () => {};
    recorder.subscription?.seek(t0, 2n);
    recorder.subscription?.resume(t0);
    await recorder.until('the rest has come', () => recorder.values(t0).length === 4);
    const again = recorder.batches.filter(({ partition }) => partition === 0).slice(1);
    assert.deepEqual(
      again.flatMap(({ records }) => records.map(({ offset }) => offset)),
      [2n, 3n],
    );
    await recorder.subscription?.stop();
    await driver.close();
  });

  test(`${name}: two members share a topic, and one takes all when the other leaves`, async () => {
    await using kafka = await openKafka();
    const [one, two] = await Promise.all([
      openDriver(name, kafka.server.address),
      openDriver(name, kafka.server.address),
    ]);
    await kafka.create('t', 4);
    const first = await new Recorder().subscribe(one, ['t']);
    await first.until('it has all', () => first.held().length === 4);
    const second = await new Recorder().subscribe(two, ['t']);
    await second.until('it has half', () => second.held().length === 2);
    await first.until('it has half', () => first.held().length === 2);
    assert.deepEqual([...first.held(), ...second.held()].sort(), ['t/0', 't/1', 't/2', 't/3']);
    for (const partition of [0, 1, 2, 3]) await kafka.send('t', partition, `v${partition}`);
    await first.until('its records have come', () => first.values().length === 2);
    await second.until('its records have come', () => second.values().length === 2);
    assert.deepEqual([...first.values(), ...second.values()].sort(), ['v0', 'v1', 'v2', 'v3']);
    await second.subscription?.stop();
    await first.until('it has all again', () => first.held().length === 4);
    await first.subscription?.stop();
    await Promise.all([one.close(), two.close()]);
  });

  test(`${name}: the group's offsets are where they were committed`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    await kafka.create('t');
    await kafka.send('t', 0, 'a', 'b');
    const recorder = await new Recorder().subscribe(driver, ['t']);
    await recorder.until('it has come', () => recorder.values().length === 2);
    await recorder.subscription?.commitOffsets([{ ...t0, offset: 2n }]);
    const [stands] = await kafka.admin.fetchOffsets({ groupId: 'g', topics: ['t'] });
    assert.equal(stands?.partitions[0]?.offset, '2');
    await recorder.subscription?.stop();
    await driver.close();
  });

  test(`${name}: partitions that are added come into hand while it runs`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    await kafka.create('t', 1);
    const recorder = await new Recorder().subscribe(driver, ['t'], { sessionTimeoutMs: 1_000 });
    await recorder.until('it has one', () => recorder.held().length === 1);
    await kafka.admin.createPartitions({ topicPartitions: [{ topic: 't', count: 3 }] });
    await recorder.until('it has three', () => recorder.held().length === 3);
    await kafka.send('t', 2, 'new');
    await recorder.until('the new one delivers', () => recorder.values().includes('new'));
    await recorder.subscription?.stop();
    await driver.close();
  });

  test(`${name}: a pattern reads all topics that match it`, async () => {
    await using kafka = await openKafka();
    const driver = await openDriver(name, kafka.server.address);
    for (const topic of ['orders-a', 'orders-b', 'flights']) {
      await kafka.create(topic);
      await kafka.send(topic, 0, topic);
    }
    const recorder = await new Recorder().subscribe(driver, /^orders-.*/);
    await recorder.until('both have come', () => recorder.values().length === 2);
    assert.deepEqual(recorder.held(), ['orders-a/0', 'orders-b/0']);
    assert.deepEqual(recorder.values().sort(), ['orders-a', 'orders-b']);
    await recorder.subscription?.stop();
    await driver.close();
  });

  test(`${name}: goes on, by itself or by subscribing again, when a broker has gone and come back`, async (context) => {
    const dir = await import('node:fs/promises').then(({ mkdtemp }) => mkdtemp('/tmp/penstock-kafka-'));
    context.after(() => import('node:fs/promises').then(({ rm }) => rm(dir, { recursive: true })));
    let server = await openKafkaServer({ dir });
    const driver = await openDriver(name, server.address);
    {
      await using kafka = await openKafka(server);
      await kafka.create('t');
      await kafka.send('t', 0, 'before');
    }
    let recorder = await new Recorder().subscribe(driver, ['t']);
    await recorder.until('the first has come', () => recorder.values().length === 1);
    await server.close();
    server = await openKafkaServer({ dir });
    {
      await using kafka = await openKafka(server);
      await kafka.send('t', 0, 'after');
    }
    try {
      await recorder.until('the second has come', () => recorder.values().includes('after'));
    } catch (error) {
      assert.equal(error, recorder.ended);
      await recorder.subscription?.stop();
      recorder = await new Recorder().subscribe(driver, ['t']);
      await recorder.until('the second has come', () => recorder.values().includes('after'));
    }
    await recorder.subscription?.stop();
    await driver.close();
    await server.close();
  });
}
