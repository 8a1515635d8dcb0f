import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { errorCode } from '../../../../deploy/local/kafka/protocol/error-code.ts';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';
import { batchRequest, newProducer, produced, produceV7 } from './produce-api.ts';
import { RawClient } from './raw-client.ts';

suite('Produce of an idempotent producer', () => {
  let server: KafkaServer;
  let client: RawClient;
  let producer: { producerId: number; producerEpoch: number };

  beforeEach(async () => {
    server = await openKafkaServer();
    const admin = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }] });
    await admin.disconnect();
    client = await RawClient.open(server.address);
    producer = await newProducer(client);
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  const send = (firstSequence: number, values: string[], epoch = producer.producerEpoch) =>
    produced(
      client.call(
        produceV7,
        batchRequest({ topic: 't', values, producer: { ...producer, producerEpoch: epoch, firstSequence } }),
      ),
    );

  test('answers the same bytes with the first offset and appends them once', async () => {
    await send(0, ['a', 'b']);
    const request = batchRequest({ topic: 't', values: ['c', 'd'], producer: { ...producer, firstSequence: 2 } });
    const bytes = await RawClient.encode(produceV7.request(request));
    const first = await produced(client.exchange(bytes).then((answer) => produceV7.response.decode(answer)));
    const again = await produced(client.exchange(bytes).then((answer) => produceV7.response.decode(answer)));
    assert.equal(first.baseOffset, '2');
    assert.deepEqual(again, first);
    assert.equal((await send(4, ['e'])).baseOffset, '4');
  });

  test('remembers the last five batches and no more', async () => {
    for (let sequence = 0; sequence < 6; sequence++) await send(sequence, [`v${sequence}`]);
    assert.equal((await send(1, ['v1'])).baseOffset, '1');
    assert.equal((await send(0, ['v0'])).errorCode, errorCode.outOfOrderSequenceNumber);
  });

  test('refuses a gap in the sequence', async () => {
    await send(0, ['a']);
    assert.equal((await send(2, ['c'])).errorCode, errorCode.outOfOrderSequenceNumber);
    assert.equal((await send(1, ['b'])).baseOffset, '1');
  });

  test('refuses an epoch that was overtaken, and a new epoch that does not begin at 0', async () => {
    await send(0, ['a']);
    assert.equal((await send(1, ['b'], 1)).errorCode, errorCode.outOfOrderSequenceNumber);
    assert.equal((await send(0, ['b'], 1)).baseOffset, '1');
    assert.equal((await send(1, ['c'], 0)).errorCode, errorCode.invalidProducerEpoch);
  });
});
