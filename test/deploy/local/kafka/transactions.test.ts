import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { consumeAll } from './consume-all.ts';

suite('transactions of a kafkajs producer', () => {
  let dir: string;
  let server: KafkaServer;
  let kafka: Kafka;

  const start = async (): Promise<void> => {
    server = await openKafkaServer({ dir });
    kafka = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING });
  };
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kafka-'));
    await start();
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }] });
    await admin.disconnect();
  });
  afterEach(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });

  const open = async (): Promise<Producer> => {
    const producer = kafka.producer({
      transactionalId: 'tx',
      maxInFlightRequests: 1,
      idempotent: true,
      retry: { retries: 1 },
    });
    await producer.connect();
    return producer;
  };
  const message = (value: string) => ({ topic: 't', messages: [{ value }] });
  const read = async (count: number, readUncommitted = false): Promise<string[]> =>
    (await consumeAll(kafka, { topic: 't', count, readUncommitted })).map((record) => String(record.message.value));
  const committed = async (): Promise<string | undefined> => {
    const admin = kafka.admin();
    await admin.connect();
    const [topic] = await admin.fetchOffsets({ groupId: 'g', topics: ['t'] });
    await admin.disconnect();
    return topic?.partitions[0]?.offset;
  };

  test('show committed records, and hide aborted ones from readers of committed data', async () => {
    const producer = await open();
    for (const value of ['kept', 'dropped', 'kept too']) {
      const transaction = await producer.transaction();
      await transaction.send(message(value));
      await (value === 'dropped' ? transaction.abort() : transaction.commit());
    }
    assert.deepEqual(await read(2), ['kept', 'kept too']);
    assert.deepEqual(await read(3, true), ['kept', 'dropped', 'kept too']);
    await producer.disconnect();
  });

  test('hold back what stands behind an open transaction until it ends', async () => {
    const producer = await open();
    const plain = kafka.producer();
    await plain.connect();
    const transaction = await producer.transaction();
    await transaction.send(message('first'));
    await plain.send(message('second'));
    const reading = read(2);
    assert.deepEqual(await read(2, true), ['first', 'second']);
    await transaction.commit();
    assert.deepEqual(await reading, ['first', 'second']);
    await Promise.all([producer.disconnect(), plain.disconnect()]);
  });

  test('commit a group offset with the records or not at all', async () => {
    const producer = await open();
    const offsets = (offset: string) => ({
      consumerGroupId: 'g',
      topics: [{ topic: 't', partitions: [{ partition: 0, offset }] }],
    });
    const aborted = await producer.transaction();
    await aborted.sendOffsets(offsets('5'));
    await aborted.abort();
    assert.equal(await committed(), '-1');
    const kept = await producer.transaction();
    await kept.send(message('x'));
    await kept.sendOffsets(offsets('7'));
    assert.equal(await committed(), '-1');
    await kept.commit();
    assert.equal(await committed(), '7');
    await producer.disconnect();
  });

  test('fence the older of two producers with the same transactional id', async () => {
    const older = await open();
    const transaction = await older.transaction();
    await transaction.send(message('of the older'));
    const newer = await open();
    const next = await newer.transaction();
    await assert.rejects(transaction.send(message('of a zombie')), { type: 'INVALID_PRODUCER_EPOCH' });
    await assert.rejects(transaction.commit(), { type: 'INVALID_PRODUCER_EPOCH' });
    await next.send(message('of the newer'));
    await next.commit();
    assert.deepEqual(await read(1), ['of the newer']);
    await Promise.all([older.disconnect(), newer.disconnect()]);
  });

  test('survive a restart: what was open can be ended, what was aborted stays hidden', async () => {
    let producer = await open();
    const dropped = await producer.transaction();
    await dropped.send(message('dropped'));
    await dropped.abort();
    const left = await producer.transaction();
    await left.send(message('left open'));
    await producer.disconnect();
    await server.close();
    await start();
    producer = await open();
    const transaction = await producer.transaction();
    await transaction.send(message('kept'));
    await transaction.commit();
    assert.deepEqual(await read(1), ['kept']);
    await producer.disconnect();
  });
});
