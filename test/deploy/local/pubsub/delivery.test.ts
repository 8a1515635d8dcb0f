import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { v1 } from '@google-cloud/pubsub';
import { PROJECT, withPubSub } from './with-pubsub.ts';

const TOPIC = `${PROJECT}/topics/events`;
const SUBSCRIPTION = `${PROJECT}/subscriptions/events`;
const START_MS = Date.parse('2026-11-21T07:00:00Z');

interface Received {
  readonly ackId: string;
  readonly text: string;
  readonly attempt: number;
  readonly attributes: Record<string, string>;
}

async function pull(
  subscriber: v1.SubscriberClient,
  subscription = SUBSCRIPTION,
  maxMessages = 100,
): Promise<Received[]> {
  const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages, returnImmediately: true });
  return (receivedMessages ?? []).map(({ ackId, message, deliveryAttempt }) => ({
    ackId: ackId ?? '',
    text: String(message?.data ?? ''),
    attempt: deliveryAttempt ?? 0,
    attributes: message?.attributes ?? {},
  }));
}

const texts = (received: readonly Received[]): string[] => received.map(({ text }) => text);
const ids = (received: readonly Received[]): string[] => received.map(({ ackId }) => ackId);

async function nack(subscriber: v1.SubscriberClient, ackIds: string[]): Promise<void> {
  await subscriber.modifyAckDeadline({ subscription: SUBSCRIPTION, ackIds, ackDeadlineSeconds: 0 });
}

/** A topic, a subscription with settings, and a clock that the test moves. */
async function withSubscription(
  settings: object,
  use: (context: {
    subscriber: v1.SubscriberClient;
    publish(texts: string[], orderingKey?: string): Promise<void>;
    advance(ms: number): void;
  }) => Promise<void>,
): Promise<void> {
  let nowMs = START_MS;
  await withPubSub({ now: () => nowMs }, async ({ client, publisher, subscriber }) => {
    await client.createTopic('events');
    await client.createTopic('dead');
    await subscriber.createSubscription({ name: SUBSCRIPTION, topic: TOPIC, ...settings });
    await subscriber.createSubscription({ name: `${PROJECT}/subscriptions/dead`, topic: `${PROJECT}/topics/dead` });
    await use({
      subscriber,
      async publish(texts, orderingKey = '') {
        const messages = texts.map((text) => ({ data: Buffer.from(text), orderingKey, attributes: { text } }));
        await publisher.publish({ topic: TOPIC, messages });
      },
      advance(ms) {
        nowMs += ms;
      },
    });
  });
}

test('a message that is not acknowledged within its deadline comes again, and a late acknowledgement still counts', () =>
  withSubscription({ ackDeadlineSeconds: 20 }, async ({ subscriber, publish, advance }) => {
    await publish(['a', 'b']);
    const first = await pull(subscriber);
    assert.deepEqual(texts(first), ['a', 'b']);
    advance(19_999);
    assert.deepEqual(await pull(subscriber), []);
    await subscriber.modifyAckDeadline({
      subscription: SUBSCRIPTION,
      ackIds: ids(first).slice(0, 1),
      ackDeadlineSeconds: 60,
    });
    advance(1);
    assert.deepEqual(texts(await pull(subscriber)), ['b']);
    await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: ids(first) });
    advance(600_000);
    assert.deepEqual(await pull(subscriber), []);
  }));

test('without a retry policy a nack brings the message at once, with one it backs off and doubles', async () => {
  await withSubscription({}, async ({ subscriber, publish }) => {
    await publish(['a']);
    await nack(subscriber, ids(await pull(subscriber)));
    assert.deepEqual(texts(await pull(subscriber)), ['a']);
  });
  const retryPolicy = { minimumBackoff: { seconds: 10 }, maximumBackoff: { seconds: 30 } };
  await withSubscription({ retryPolicy }, async ({ subscriber, publish, advance }) => {
    await publish(['a']);
    for (const waitMs of [10_000, 20_000, 30_000, 30_000]) {
      await nack(subscriber, ids(await pull(subscriber)));
      advance(waitMs - 1);
      assert.deepEqual(await pull(subscriber), []);
      advance(1);
    }
    assert.deepEqual(texts(await pull(subscriber)), ['a']);
  });
});

test('after max_delivery_attempts a message goes to the dead-letter topic, with where it came from', () =>
  withSubscription(
    { deadLetterPolicy: { deadLetterTopic: `${PROJECT}/topics/dead`, maxDeliveryAttempts: 5 } },
    async ({ subscriber, publish }) => {
      await publish(['poison']);
      for (let attempt = 1; attempt <= 5; attempt += 1) {
        const received = await pull(subscriber);
        assert.deepEqual(
          received.map((message) => message.attempt),
          [attempt],
        );
        await nack(subscriber, ids(received));
      }
      assert.deepEqual(await pull(subscriber), []);
      const [dead] = await pull(subscriber, `${PROJECT}/subscriptions/dead`);
      assert.equal(dead?.text, 'poison');
      assert.deepEqual(dead?.attributes, {
        text: 'poison',
        CloudPubSubDeadLetterSourceDeliveryCount: '5',
        CloudPubSubDeadLetterSourceSubscription: 'events',
        CloudPubSubDeadLetterSourceSubscriptionProject: 'laptop',
        CloudPubSubDeadLetterSourceTopicPublishTime: '2026-11-21T07:00:00Z',
      });
    },
  ));

test('a nack holds back the later messages of its key, and other keys go on', () =>
  withSubscription({ enableMessageOrdering: true }, async ({ subscriber, publish }) => {
    await publish(['a1', 'a2', 'a3'], 'a');
    await publish(['b1', 'b2'], 'b');
    const first = await pull(subscriber);
    assert.deepEqual(
      texts(first).filter((text) => text.startsWith('a')),
      ['a1', 'a2', 'a3'],
    );
    const idOf = (text: string): string => first.find((message) => message.text === text)?.ackId ?? '';
    await publish(['a4'], 'a');
    assert.deepEqual(await pull(subscriber), [], 'a4 waits until what is out of its key is settled');
    await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: ['a1', 'a3', 'b1', 'b2'].map(idOf) });
    await nack(subscriber, [idOf('a2')]);
    const again = await pull(subscriber);
    assert.deepEqual(texts(again), ['a2', 'a3', 'a4'], 'a3 comes again though it was acknowledged, as in production');
    await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: ids(again) });
    assert.deepEqual(await pull(subscriber), []);
  }));

test('with exactly-once delivery an acknowledgement after the lease is refused by name', () =>
  withSubscription({ enableExactlyOnceDelivery: true }, async ({ subscriber, publish, advance }) => {
    await publish(['a', 'b']);
    const [a, b] = await pull(subscriber);
    assert.ok(a && b);
    await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: [a.ackId] });
    advance(10_000);
    await assert.rejects(
      subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: [b.ackId] }),
      (error: Error & { code?: number; errorInfoMetadata?: Record<string, string> }) => {
        assert.equal(error.code, 9);
        assert.deepEqual({ ...error.errorInfoMetadata }, { [b.ackId]: 'PERMANENT_FAILURE_INVALID_ACK_ID' });
        return true;
      },
    );
    const again = await pull(subscriber);
    assert.deepEqual(texts(again), ['b']);
    await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds: ids(again) });
  }));

test('messages past their retention are gone', () =>
  withSubscription({ messageRetentionDuration: { seconds: 600 } }, async ({ subscriber, publish, advance }) => {
    await publish(['old']);
    advance(599_000);
    await publish(['new']);
    advance(61_000);
    assert.deepEqual(texts(await pull(subscriber)), ['new']);
  }));

test('the official client publishes and receives many keys, each in its order', () =>
  withPubSub({}, async ({ client }) => {
    const [topic] = await client.createTopic('events');
    await topic.createSubscription('events', { enableMessageOrdering: true });
    const ordered = client.topic('events', { messageOrdering: true });
    const publishing: Promise<string>[] = [];
    for (let at = 0; at < 300; at += 1) {
      publishing.push(ordered.publishMessage({ data: Buffer.from(String(at)), orderingKey: `key-${at % 7}` }));
    }
    await Promise.all(publishing);
    const subscription = client.subscription('events', { batching: { maxMilliseconds: 5 } });
    const seen = new Map<string, number[]>();
    let count = 0;
    await new Promise<void>((resolve, reject) => {
      subscription.on('error', reject);
      subscription.on('message', (message) => {
        const numbers = seen.get(message.orderingKey ?? '') ?? [];
        seen.set(message.orderingKey ?? '', [...numbers, Number(message.data.toString())]);
        message.ack();
        count += 1;
        if (count === 300) resolve();
      });
    });
    await subscription.close();
    assert.equal(seen.size, 7);
    for (const numbers of seen.values())
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
  }));
