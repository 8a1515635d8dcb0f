import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Message, Subscription } from '@google-cloud/pubsub';
import { PROJECT, withPubSub } from './with-pubsub.ts';

const TOPIC = `${PROJECT}/topics/events`;
const SUBSCRIPTION = `${PROJECT}/subscriptions/events`;
const deadline = () => ({ signal: AbortSignal.timeout(8_000) });

async function nextMessage(subscription: Subscription): Promise<Message> {
  const [message] = await once(subscription, 'message', deadline());
  return message;
}

test('publish() and a streaming pull bring data, attributes, id and time', () =>
  withPubSub({ now: () => Date.parse('2026-11-21T07:00:00.250Z') }, async ({ client }) => {
    const [topic] = await client.createTopic('events');
    const [subscription] = await topic.createSubscription('events');
    const published = await topic.publishMessage({ data: Buffer.from('hello'), attributes: { city: 'Oslo' } });
    const message = await nextMessage(subscription);
    assert.equal(message.data.toString(), 'hello');
    assert.deepEqual(message.attributes, { city: 'Oslo' });
    assert.equal(message.id, published);
    assert.equal(message.publishTime.getTime(), Date.parse('2026-11-21T07:00:00.250Z'));
    assert.equal(message.deliveryAttempt, 0);
    message.ack();
    await subscription.close();
  }));

test('a streaming pull brings five thousand messages, each once, and respects its flow control', () =>
  withPubSub({}, async ({ client, subscriber }) => {
    const [topic] = await client.createTopic('events');
    await topic.createSubscription('events');
    for (let at = 0; at < 5000; at += 1000) {
      const batch = Array.from({ length: 1000 }, (_, i) => topic.publishMessage({ data: Buffer.from(String(at + i)) }));
      await Promise.all(batch);
    }
    const subscription = client.subscription('events', {
      flowControl: { maxMessages: 200 },
      streamingOptions: { maxStreams: 1 },
      batching: { maxMilliseconds: 5 },
    });
    const seen = new Map<string, number>();
    let inHand = 0;
    let acknowledgedCount = 0;
    await new Promise<void>((resolve, reject) => {
      subscription.on('error', reject);
      subscription.on('message', (message: Message) => {
        inHand += 1;
        assert.ok(inHand <= 200, `${inHand} messages in hand`);
        const text = message.data.toString();
        seen.set(text, (seen.get(text) ?? 0) + 1);
        setImmediate(async () => {
          inHand -= 1;
          await message.ackWithResponse();
          acknowledgedCount += 1;
          if (acknowledgedCount === 5000) resolve();
        });
      });
    });
    await subscription.close();
    assert.ok([...seen.values()].every((count) => count === 1));
    const [rest] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 10, returnImmediately: true });
    assert.deepEqual(rest.receivedMessages, []);
  }));

test('Pull waits for a message, and a second subscription gets its own copy', () =>
  withPubSub({}, async ({ client, subscriber }) => {
    const [topic] = await client.createTopic('events');
    await topic.createSubscription('events');
    await topic.createSubscription('copies');
    const waiting = subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 10 });
    await topic.publishMessage({ data: Buffer.from('one') });
    for (const [{ receivedMessages }] of [
      await waiting,
      await subscriber.pull({ subscription: `${PROJECT}/subscriptions/copies`, maxMessages: 10 }),
    ]) {
      assert.deepEqual(
        receivedMessages?.map(({ message }) => String(message?.data)),
        ['one'],
      );
    }
  }));

test('Publish refuses what production refuses', () =>
  withPubSub({}, async ({ client, publisher }) => {
    await client.createTopic('events');
    const refused = async (messages: object[], pattern: RegExp): Promise<void> => {
      await assert.rejects(publisher.publish({ topic: TOPIC, messages }), (error: Error & { code?: number }) => {
        assert.equal(error.code, 3);
        assert.match(error.message, pattern);
        return true;
      });
    };
    const data = Buffer.from('x');
    const attributes = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
    await refused([], /list of messages .* is empty/);
    await refused([{}], /messages in the publish request is empty/);
    await refused([{ data: Buffer.alloc(10_000_000) }], /request_size is too large.*maximum value is 10000000/);
    await refused(Array(1001).fill({ data }), /message_count is too large.*1001.*1000/);
    await refused([{ attributes: attributes(101) }], /message_attribute_count/);
    await refused([{ attributes: { ['k'.repeat(257)]: '' } }], /attribute_key_size/);
    await refused([{ attributes: { k: 'v'.repeat(1025) } }], /attribute_value_size/);
    await refused([{ attributes: { googly: 'v' } }], /starting with goog/);
    await refused(
      [
        { data, orderingKey: 'a' },
        { data, orderingKey: 'b' },
      ],
      /ordering key/,
    );
    await refused([{ data, orderingKey: 'k'.repeat(1025) }], /ordering_key_size/);
    const [{ messageIds }] = await publisher.publish({ topic: TOPIC, messages: [{ attributes: attributes(100) }] });
    assert.equal(messageIds?.length, 1);
    await assert.rejects(
      publisher.publish({ topic: `${PROJECT}/topics/missing`, messages: [{ data }] }),
      /5 NOT_FOUND: Resource not found \(resource=missing\)/,
    );
  }));

test('topics and subscriptions are made, listed in pages, updated and deleted', () =>
  withPubSub({}, async ({ client, publisher, subscriber }) => {
    const [topic] = await client.createTopic('events');
    await assert.rejects(
      client.createTopic('events'),
      /6 ALREADY_EXISTS: Resource already exists in the project \(resource=events\)/,
    );
    for (const name of ['one', 'two', 'three']) await topic.createSubscription(name);
    const [first, , { nextPageToken }] = (await publisher.listTopicSubscriptions(
      { topic: TOPIC, pageSize: 2 },
      { autoPaginate: false },
    )) as unknown as [string[], unknown, { nextPageToken: string }];
    assert.deepEqual(first, [`${PROJECT}/subscriptions/one`, `${PROJECT}/subscriptions/three`]);
    assert.notEqual(nextPageToken, '');
    const [all] = await client.getSubscriptions();
    assert.equal(all.length, 3);

    const one = client.subscription('one');
    const [metadata] = await one.getMetadata();
    assert.equal(metadata.ackDeadlineSeconds, 10);
    assert.equal(Number(metadata.messageRetentionDuration?.seconds), 7 * 24 * 3600);
    await one.setMetadata({ ackDeadlineSeconds: 60 });
    assert.equal((await one.getMetadata())[0].ackDeadlineSeconds, 60);
    const update = (subscription: object, paths: string[]) =>
      subscriber.updateSubscription({
        subscription: { name: `${PROJECT}/subscriptions/one`, ...subscription },
        updateMask: { paths },
      });
    await assert.rejects(update({ filter: 'attributes:x' }, ['filter']), /filter cannot be changed/);
    await assert.rejects(update({ ackDeadlineSeconds: 5 }, ['ack_deadline_seconds']), /wanted 10 to 600/);

    await topic.delete();
    assert.equal((await one.getMetadata())[0].topic, '_deleted-topic_');
    await one.delete();
    await assert.rejects(one.getMetadata(), /5 NOT_FOUND/);
  }));

test('what is not to be had is refused by name', () =>
  withPubSub({}, async ({ client, publisher, subscriber }) => {
    await client.createTopic('events');
    const make = (settings: object) => subscriber.createSubscription({ name: SUBSCRIPTION, topic: TOPIC, ...settings });
    await assert.rejects(
      make({ bigqueryConfig: { table: 'a.b.c' } }),
      /12 UNIMPLEMENTED: Subscription.bigquery_config/,
    );
    await assert.rejects(make({ filter: 'attributes.x > 1' }), /3 INVALID_ARGUMENT: Cannot read the filter/);
    await assert.rejects(
      make({ deadLetterPolicy: { deadLetterTopic: TOPIC, maxDeliveryAttempts: 4 } }),
      /wanted 5 to 100/,
    );
    await assert.rejects(make({ pushConfig: { pushEndpoint: 'ftp://x' } }), /wanted an http or https URL/);
    await assert.rejects(
      make({ pushConfig: { pushEndpoint: 'http://x', oidcToken: { serviceAccountEmail: 'a@b' } } }),
      /9 FAILED_PRECONDITION: This server was started without an issuer/,
    );
    await assert.rejects(subscriber.createSubscription({ name: 'x', topic: TOPIC }), /Invalid \[subscriptions\] name/);
    await make({});
    await assert.rejects(
      subscriber.seek({ subscription: SUBSCRIPTION, time: { seconds: 1 } }),
      /12 UNIMPLEMENTED.*cannot seek/,
    );
    await assert.rejects(publisher.createTopic({ name: `${PROJECT}/topics/other`, kmsKeyName: 'k' }), /kms_key_name/);
    await assert.rejects(
      subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: ['nonsense'] }),
      /3 INVALID_ARGUMENT: You have passed an invalid ack ID/,
    );
  }));

test('a deleted subscription ends its streams with NOT_FOUND', () =>
  withPubSub({}, async ({ client, subscriber }) => {
    const [topic] = await client.createTopic('events');
    const [subscription] = await topic.createSubscription('events');
    const opened = new Promise<void>((resolve) => {
      subscription.on('message', (message: Message) => {
        message.ack();
        resolve();
      });
    });
    await topic.publishMessage({ data: Buffer.from('open') });
    await opened;
    const failed = once(subscription, 'error', deadline()).then(([error]) => assert.equal(error.code, 5));
    await subscriber.deleteSubscription({ subscription: SUBSCRIPTION });
    await failed;
    await subscription.close();
  }));
