import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Admin } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';
import { errorCode } from '../../../../deploy/local/kafka/protocol/error-code.ts';
import { consumeAll } from './consume-all.ts';
import { batchRequest, newProducer, produced, produceV7 } from './produce-api.ts';
import { RawClient } from './raw-client.ts';

const program = fileURLToPath(new URL('./serve.ts', import.meta.url));

suite('openKafkaServer() after kill -9', () => {
  let dir: string;
  let child: ChildProcess;
  let address: string;

  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [program, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (!child.stdout) throw new Error('The broker was started without a pipe');
    const lines = createInterface(child.stdout);
    [address] = (await once(lines, 'line')) as [string];
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const kafka = (): Kafka => new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kafka-'));
    await start();
  });
  afterEach(async () => {
    await kill();
    rmSync(dir, { recursive: true });
  });

  test('has its topics with their ids and settings, every record, and the committed offsets', async () => {
    const ids = async (): Promise<string | undefined> => {
      const other = new Admin({ clientId: 'test', bootstrapBrokers: [address] });
      const { topics } = await other.metadata({ topics: ['t'] });
      await other.close();
      return topics.get('t')?.id;
    };
    let admin = kafka().admin();
    await admin.connect();
    await admin.createTopics({
      topics: [
        { topic: 't', numPartitions: 2, configEntries: [{ name: 'max.message.bytes', value: '16777216' }] },
        { topic: 'gone', numPartitions: 1 },
      ],
    });
    await admin.deleteTopics({ topics: ['gone'] });
    const producer = kafka().producer();
    await producer.connect();
    const values = Array.from({ length: 500 }, (_, n) => `v${n}`);
    await producer.send({ topic: 't', messages: values.map((value, n) => ({ value, partition: n % 2 })) });
    await producer.send({ topic: 't', messages: [{ value: Buffer.alloc(2_000_000, 1), partition: 0 }] });
    await consumeAll(kafka(), { topic: 't', count: 501, groupId: 'g' });
    await Promise.all([producer.disconnect(), admin.disconnect()]);
    const idBefore = await ids();
    await kill();
    await start();

    assert.equal(await ids(), idBefore);
    admin = kafka().admin();
    await admin.connect();
    assert.deepEqual(await admin.listTopics(), ['t']);
    assert.deepEqual(
      (await admin.fetchOffsets({ groupId: 'g', topics: ['t'] }))[0]?.partitions.map(({ offset }) => offset),
      ['251', '250'],
    );
    assert.deepEqual(
      (await admin.fetchTopicOffsets('t')).map(({ high }) => high),
      ['251', '250'],
    );
    await admin.disconnect();
    const records = await consumeAll(kafka(), { topic: 't', count: 501 });
    const small = records.map(({ message }) => String(message.value)).filter((value) => value.length < 10);
    assert.deepEqual(new Set(small), new Set(values));
  });

  test('still knows an idempotent producer and its last batches', async () => {
    const admin = kafka().admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }] });
    await admin.disconnect();
    let client = await RawClient.open(address);
    const producer = await newProducer(client);
    const send = (firstSequence: number) =>
      produced(
        client.call(produceV7, batchRequest({ topic: 't', values: ['x'], producer: { ...producer, firstSequence } })),
      );
    await send(0);
    await send(1);
    client.close();
    await kill();
    await start();
    client = await RawClient.open(address);
    assert.equal((await send(1)).baseOffset, '1');
    assert.equal((await send(3)).errorCode, errorCode.outOfOrderSequenceNumber);
    assert.equal((await send(2)).baseOffset, '2');
    assert.notEqual((await newProducer(client)).producerId, producer.producerId);
    client.close();
  });
});
