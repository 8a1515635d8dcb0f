import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openClient, openRawClients, PROJECT, withPubSub } from './with-pubsub.ts';

const TOPIC = `${PROJECT}/topics/events`;
const SUBSCRIPTION = `${PROJECT}/subscriptions/events`;

async function withDirectory(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'pubsub-'));
  try {
    await use(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function startProcess(dir: string): Promise<{ child: ChildProcess; address: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'serve-until-killed.ts'), dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(child.stdout);
  const [line] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(8_000) });
  return { child, address: String(line).trim() };
}

test('kill -9 loses no message that was published and not acknowledged, and brings none back that was', () =>
  withDirectory(async (dir) => {
    const published: string[] = [];
    const acknowledged = new Set<string>();
    for (let life = 0; life < 4; life += 1) {
      const { child, address } = await startProcess(dir);
      const client = openClient(address);
      const { publisher, subscriber } = await openRawClients(client);
      if (life === 0) {
        const [topic] = await client.createTopic('events');
        await topic.createSubscription('events', { ackDeadlineSeconds: 600 });
      }
      for (let batch = 0; batch < 5; batch += 1) {
        const messages = Array.from({ length: 40 }, (_, at) => ({ data: Buffer.from(`${life}/${batch}/${at}`) }));
        const [{ messageIds }] = await publisher.publish({ topic: TOPIC, messages });
        published.push(...(messageIds ?? []));
        const [{ receivedMessages }] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 15 });
        for (const { message } of receivedMessages ?? []) assert.ok(!acknowledged.has(message?.messageId ?? ''));
        const ackIds = receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [];
        await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds });
        for (const { message } of receivedMessages ?? []) acknowledged.add(message?.messageId ?? '');
      }
      child.kill('SIGKILL');
      await once(child, 'exit');
      await publisher.close();
      await subscriber.close();
      await client.close();
    }
    assert.equal(new Set(published).size, 800, 'ids are never used twice');
    assert.equal(acknowledged.size, 300);
    await withPubSub({ dir }, async ({ subscriber }) => {
      const [{ receivedMessages }] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 1000 });
      const left = receivedMessages?.map(({ message }) => message?.messageId ?? '') ?? [];
      assert.deepEqual(
        left,
        published.filter((id) => !acknowledged.has(id)),
      );
    });
  }));

test('failures, settings and deletions survive a restart, and ids go on', () =>
  withDirectory(async (dir) => {
    let lastId = '';
    await withPubSub({ dir }, async ({ client, publisher, subscriber }) => {
      const [topic] = await client.createTopic('events');
      await client.createTopic('gone');
      await client.topic('gone').delete();
      const deadLetterPolicy = { deadLetterTopic: TOPIC, maxDeliveryAttempts: 5 };
      await topic.createSubscription('events', { deadLetterPolicy, filter: 'attributes.keep = "yes"' });
      const messages = [{ attributes: { keep: 'no' } }, { attributes: { keep: 'yes' } }];
      const [{ messageIds }] = await publisher.publish({ topic: TOPIC, messages });
      lastId = messageIds?.at(-1) ?? '';
      const [{ receivedMessages }] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 10 });
      const ackIds = receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [];
      assert.equal(ackIds.length, 1);
      await subscriber.modifyAckDeadline({ subscription: SUBSCRIPTION, ackIds, ackDeadlineSeconds: 0 });
    });
    for (let restart = 0; restart < 2; restart += 1) {
      await withPubSub({ dir }, async ({ client, publisher, subscriber }) => {
        const [topics] = await client.getTopics();
        assert.deepEqual(
          topics.map(({ name }) => name),
          [TOPIC],
        );
        const [{ receivedMessages }] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 10 });
        assert.deepEqual(
          receivedMessages?.map(({ message, deliveryAttempt }) => [message?.attributes?.keep, deliveryAttempt]),
          [['yes', 2]],
        );
        const [{ messageIds }] = await publisher.publish({ topic: TOPIC, messages: [{ attributes: { keep: 'no' } }] });
        assert.ok(BigInt(messageIds?.[0] ?? 0) > BigInt(lastId));
        lastId = messageIds?.[0] ?? '';
      });
    }
  }));

test('acknowledged messages do not stay in the journal for ever', () =>
  withDirectory(async (dir) => {
    await withPubSub({ dir }, async ({ client, publisher, subscriber }) => {
      const [topic] = await client.createTopic('events');
      await topic.createSubscription('events');
      let largest = 0;
      for (let round = 0; round < 30; round += 1) {
        await publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.alloc(2_000_000, round) }] });
        const [{ receivedMessages }] = await subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 10 });
        const ackIds = receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [];
        await subscriber.acknowledge({ subscription: SUBSCRIPTION, ackIds });
        largest = Math.max(largest, statSync(join(dir, 'pubsub.journal')).size);
      }
      assert.ok(largest > 10_000_000 && largest < 24_000_000, `the journal grew to ${largest} bytes`);
    });
  }));
