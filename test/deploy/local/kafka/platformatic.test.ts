import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  Admin,
  Consumer,
  type Message,
  ProduceAcks,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { type KafkaServer, openKafkaServer } from '../../../../deploy/local/kafka/server.ts';

type Text = Message<string, string, string, string>;

suite('openKafkaServer() with @platformatic/kafka', () => {
  let server: KafkaServer;
  let admin: Admin;
  const base = () => ({ clientId: 'test', bootstrapBrokers: [server.address] });

  before(async () => {
    server = await openKafkaServer();
    admin = new Admin(base());
  });
  after(async () => {
    await admin.close();
    await server.close();
  });

  const open = (groupId: string) => {
    const consumer = new Consumer({ ...base(), groupId, deserializers: stringDeserializers, maxWaitTime: 50 });
    return consumer;
  };
  const take = async (stream: AsyncIterable<Text>, count: number): Promise<Text[]> => {
    const messages: Text[] = [];
    for await (const message of stream) if (messages.push(message) === count) break;
    return messages;
  };

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    test(`serves batches compressed with ${compression} as they came`, async () => {
      const topic = `p-${compression}`;
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 });
      const producer = new Producer({
        ...base(),
        serializers: stringSerializers,
        idempotent: true,
        acks: ProduceAcks.ALL,
      });
      const values = Array.from({ length: 100 }, (_, n) => `value ${n}`);
      await producer.send({ compression, messages: values.map((value) => ({ topic, value, key: 'k', partition: 0 })) });
      const consumer = open(`g-${compression}`);
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest', sessionTimeout: 6000 });
      const got = await take(stream, values.length);
      assert.deepEqual(
        got.map(({ value }) => value),
        values,
      );
      await stream.close();
      await consumer.close();
      await producer.close();
    });
  }

  test('gives a recreated topic another id, and refuses a fetch with the old one', async () => {
    const idOf = async (): Promise<string | undefined> =>
      (await admin.metadata({ topics: ['again'], forceUpdate: true })).topics.get('again')?.id;
    await admin.createTopics({ topics: ['again'], partitions: 1, replicas: 1 });
    const first = await idOf();
    await admin.deleteTopics({ topics: ['again'] });
    await admin.createTopics({ topics: ['again'], partitions: 1, replicas: 1 });
    const second = await idOf();
    assert.ok(first && second);
    assert.notEqual(first, second);
  });

  test('moves partitions between members of a group', async () => {
    await admin.createTopics({ topics: ['moved'], partitions: 2, replicas: 1 });
    const first = open('moving');
    const second = open('moving');
    const options = { topics: ['moved'], sessionTimeout: 6000, heartbeatInterval: 50 };
    const streams = [await first.consume(options)];
    assert.deepEqual(first.assignments, [{ topic: 'moved', partitions: [0, 1] }]);
    const rejoined = new Promise((resolve) => first.once('consumer:group:join', resolve));
    streams.push(await second.consume(options));
    await rejoined;
    const held = [first, second].flatMap(({ assignments }) => assignments?.[0]?.partitions ?? []);
    assert.deepEqual(held.sort(), [0, 1]);
    for (const stream of streams) await stream.close();
    await second.close();
    await first.close();
  });
});
