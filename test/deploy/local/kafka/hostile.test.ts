import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import { Kafka, logLevel } from 'kafkajs';
import { errorCode } from '../../../../deploy/local/kafka/protocol/error-code.ts';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { batchRequest, produced, produceV7 } from './produce-api.ts';
import { kafkajsApi, RawClient } from './raw-client.ts';

const MIB = 1024 * 1024;

suite('openKafkaServer() under hostile bytes', () => {
  let server: KafkaServer;
  let good: RawClient;

  before(async () => {
    server = await openKafkaServer();
    const admin = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }] });
    await admin.disconnect();
    good = await RawClient.open(server.address);
  });
  after(async () => {
    good.close();
    await server.close();
  });

  const stillServes = async (): Promise<void> => {
    const answer = await produced(good.call(produceV7, batchRequest({ topic: 't', values: ['still here'] })));
    assert.equal(answer.errorCode, errorCode.none);
  };
  const closes = async (bytes: Buffer): Promise<void> => {
    const client = await RawClient.open(server.address);
    await client.sendUntilClosed(bytes);
    await stillServes();
  };
  const framed = (payload: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(payload.length);
    return Buffer.concat([length, payload]);
  };

  test('closes the connection that announces a request over 100 MiB', () =>
    closes(Buffer.from([0x7f, 0xff, 0xff, 0xff])));

  test('closes the connection that announces a negative length', () => closes(Buffer.from([0xff, 0xff, 0xff, 0xff])));

  test('closes the connection that asks for an API that is not advertised', () =>
    closes(framed(Buffer.from([0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff]))));

  test('closes the connection whose array is longer than its request', async () => {
    const metadataOfManyTopics = Buffer.from([0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    await closes(framed(metadataOfManyTopics));
  });

  test('takes no memory for a length that is promised and not sent', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(server.address)));
    const promise = Buffer.alloc(8);
    promise.writeInt32BE(99 * MIB);
    for (const client of clients) client.socket.write(promise);
    await stillServes();
    assert.ok(process.memoryUsage().arrayBuffers - before < 20 * MIB);
    for (const client of clients) client.close();
  });

  test('closes the connection that sends garbage, or answers it, and goes on serving the others', async () => {
    const apiKey = fc.integer({ min: 0, max: 70 });
    const version = fc.integer({ min: 0, max: 18 });
    await fc.assert(
      fc.asyncProperty(apiKey, version, fc.uint8Array({ maxLength: 200 }), async (key, of, rest) => {
        const header = Buffer.from([0, key, 0, of, 0, 0, 0, 7, 0xff, 0xff]);
        const client = await RawClient.open(server.address);
        client.socket.end(framed(Buffer.concat([header, rest])));
        if (!client.socket.closed) await once(client.socket, 'close');
        await stillServes();
      }),
      { numRuns: 300 },
    );
  });

  test('answers ApiVersions of an unknown version in version 0, naming what it speaks', async () => {
    const client = await RawClient.open(server.address);
    const answer = await client.exchange(framed(Buffer.from([0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff])));
    assert.equal(answer.readInt16BE(0), errorCode.unsupportedVersion);
    const count = answer.readInt32BE(2);
    const ranges = Array.from({ length: count }, (_, at) =>
      [0, 2, 4].map((field) => answer.readInt16BE(6 + at * 6 + field)),
    );
    assert.equal(answer.length, 6 + count * 6);
    assert.deepEqual(
      ranges.find(([key]) => key === 18),
      [18, 0, 4],
    );
    client.close();
  });

  test('refuses a batch whose bytes were damaged, an unknown partition, and acks of 5', async () => {
    const bytes = await RawClient.encode(produceV7.request(batchRequest({ topic: 't', values: ['abcdef'] })));
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 3] = (damaged[bytes.length - 3] ?? 0) ^ 1;
    const answered = good.exchange(damaged).then((answer) => produceV7.response.decode(answer));
    assert.equal((await produced(answered)).errorCode, errorCode.corruptMessage);
    const elsewhere = good.call(produceV7, batchRequest({ topic: 't', partition: 9, values: ['x'] }));
    assert.equal((await produced(elsewhere)).errorCode, errorCode.unknownTopicOrPartition);
    const acks = good.call(produceV7, { ...batchRequest({ topic: 't', values: ['x'] }), acks: 5 });
    assert.equal((await produced(acks)).errorCode, errorCode.invalidRequiredAcks);
  });

  test('closes the connection that uses a version of Produce with the old message format', async () => {
    const old = kafkajsApi<ReturnType<typeof batchRequest>, unknown>('produce', 2);
    await closes(await RawClient.encode(old.request(batchRequest({ topic: 't', values: ['x'] }))));
  });
});
