import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { PROJECT, withPubSub } from './with-pubsub.ts';

const TOPIC = `${PROJECT}/topics/events`;
const SUBSCRIPTION = `${PROJECT}/subscriptions/events`;

interface Push {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  answer(status: number): void;
}

/** An endpoint that hands each push to the test, in order of arrival. */
async function withEndpoint(
  use: (endpoint: { url: string; next(): Promise<Push>; waiting(): number }) => Promise<void>,
) {
  const pushes: Push[] = [];
  const wakes: (() => void)[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    pushes.push({
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
      answer: (status) => response.writeHead(status).end(),
    });
    wakes.shift()?.();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await use({
      url: `http://127.0.0.1:${port}/push`,
      waiting: () => pushes.length,
      async next() {
        if (pushes.length === 0) await new Promise<void>((resolve) => wakes.push(resolve));
        const push = pushes.shift();
        assert.ok(push);
        return push;
      },
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a push carries the wrapped envelope of production and nothing that is absent', () =>
  withEndpoint((endpoint) =>
    withPubSub({ now: () => Date.parse('2026-11-21T07:00:00Z') }, async ({ client, subscriber, publisher }) => {
      await client.createTopic('events');
      const settings = { name: SUBSCRIPTION, topic: TOPIC, pushConfig: { pushEndpoint: endpoint.url } };
      await subscriber.createSubscription(settings);
      const messages = [{ data: Buffer.from('{"iata":"OSL"}') }];
      const [{ messageIds }] = await publisher.publish({ topic: TOPIC, messages });
      const plain = await endpoint.next();
      assert.equal(plain.headers['content-type'], 'application/json');
      assert.equal(plain.headers.authorization, undefined);
      const [messageId] = messageIds ?? [];
      const times = { publishTime: '2026-11-21T07:00:00Z', publish_time: '2026-11-21T07:00:00Z' };
      assert.deepEqual(JSON.parse(plain.body), {
        message: { data: 'eyJpYXRhIjoiT1NMIn0=', messageId, message_id: messageId, ...times },
        subscription: SUBSCRIPTION,
      });
      plain.answer(204);
      await publisher.publish({ topic: TOPIC, messages: [{ attributes: { a: '1' }, orderingKey: 'k' }] });
      const bare = await endpoint.next();
      const { message } = JSON.parse(bare.body);
      assert.deepEqual(message.attributes, { a: '1' });
      assert.equal(message.orderingKey, 'k');
      assert.ok(!('data' in message));
      bare.answer(200);
    }),
  ));

test('a push carries an ID token of its service account, for the endpoint or the audience that was asked for', async () => {
  const identity = await openIdentityServer();
  try {
    await withEndpoint((endpoint) =>
      withPubSub({ mintIdToken: identity.mintIdToken }, async ({ client, subscriber }) => {
        const [topic] = await client.createTopic('events');
        const verify = async (push: Push, audience: string): Promise<void> => {
          const keys = createRemoteJWKSet(new URL(`${identity.issuer}/jwks`));
          const token = push.headers.authorization?.replace(/^Bearer /, '') ?? '';
          const { payload } = await jwtVerify(token, keys, { issuer: identity.issuer, audience });
          assert.equal(payload.email, 'push@laptop.iam.gserviceaccount.com');
          push.answer(200);
        };
        const oidcToken = { serviceAccountEmail: 'push@laptop.iam.gserviceaccount.com' };
        const pushConfig = { pushEndpoint: endpoint.url, oidcToken };
        await topic.createSubscription('events', { pushConfig });
        await topic.publishMessage({ data: Buffer.from('a') });
        await verify(await endpoint.next(), endpoint.url);
        await subscriber.modifyPushConfig({
          subscription: SUBSCRIPTION,
          pushConfig: { ...pushConfig, oidcToken: { ...oidcToken, audience: 'https://sink' } },
        });
        await topic.publishMessage({ data: Buffer.from('b') });
        await verify(await endpoint.next(), 'https://sink');
      }),
    );
  } finally {
    await identity.close();
  }
});

test('only 102, 200, 201, 202 and 204 acknowledge a push', () =>
  withEndpoint((endpoint) =>
    withPubSub({}, async ({ client }) => {
      const [topic] = await client.createTopic('events');
      await topic.createSubscription('events', {
        pushConfig: { pushEndpoint: endpoint.url },
        retryPolicy: { minimumBackoff: { seconds: 0 }, maximumBackoff: { seconds: 0 } },
      });
      for (const refusal of [203, 206, 301, 400, 404, 429, 500, 503]) {
        for (const acknowledgement of [200, 201, 202, 204]) {
          const id = await topic.publishMessage({ data: Buffer.from('x') });
          const first = await endpoint.next();
          first.answer(refusal);
          const second = await endpoint.next();
          assert.equal(JSON.parse(second.body).message.messageId, id);
          second.answer(acknowledgement);
        }
      }
      const last = await topic.publishMessage({ data: Buffer.from('last') });
      const push = await endpoint.next();
      assert.equal(JSON.parse(push.body).message.messageId, last);
      push.answer(200);
      assert.equal(endpoint.waiting(), 0);
    }),
  ));

test('a push that gets no answer within the ack deadline is cut off and comes again, with its attempt counted', () => {
  let nowMs = Date.parse('2026-11-21T07:00:00Z');
  return withEndpoint((endpoint) =>
    withPubSub({ now: () => nowMs }, async ({ client }) => {
      const [topic] = await client.createTopic('events');
      await client.createTopic('dead');
      await topic.createSubscription('events', {
        pushConfig: { pushEndpoint: endpoint.url },
        ackDeadlineSeconds: 30,
        retryPolicy: { minimumBackoff: { seconds: 10 }, maximumBackoff: { seconds: 600 } },
        deadLetterPolicy: { deadLetterTopic: `${PROJECT}/topics/dead`, maxDeliveryAttempts: 5 },
      });
      await topic.publishMessage({ data: Buffer.from('slow') });
      assert.equal(JSON.parse((await endpoint.next()).body).deliveryAttempt, 1);
      const untilItComesAgain = async (): Promise<number> => {
        const fromMs = nowMs;
        for (; endpoint.waiting() === 0; nowMs += 1000) {
          assert.ok(nowMs - fromMs < 120_000, 'the push does not come again');
          await new Promise((resolve) => setTimeout(resolve, 12));
        }
        return nowMs - fromMs;
      };
      const afterExpiryMs = await untilItComesAgain();
      assert.ok(afterExpiryMs >= 40_000, `came again after ${afterExpiryMs} ms`);
      const again = await endpoint.next();
      assert.equal(JSON.parse(again.body).deliveryAttempt, 2);
      again.answer(500);
      const afterFailureMs = await untilItComesAgain();
      assert.ok(afterFailureMs >= 20_000, `came again after ${afterFailureMs} ms`);
      const third = await endpoint.next();
      assert.equal(JSON.parse(third.body).deliveryAttempt, 3);
      third.answer(200);
    }),
  );
});

test('an unwrapped push carries the bare data, and the metadata as headers when asked for', () =>
  withEndpoint((endpoint) =>
    withPubSub({}, async ({ client, subscriber }) => {
      const [topic] = await client.createTopic('events');
      const pushConfig = { pushEndpoint: endpoint.url, noWrapper: { writeMetadata: true } };
      await subscriber.createSubscription({ name: SUBSCRIPTION, topic: TOPIC, pushConfig });
      const id = await topic.publishMessage({ data: Buffer.from('bare'), attributes: { city: 'Oslo' } });
      const push = await endpoint.next();
      assert.equal(push.body, 'bare');
      assert.equal(push.headers.city, 'Oslo');
      assert.equal(push.headers['x-goog-pubsub-message-id'], id);
      assert.equal(push.headers['x-goog-pubsub-subscription-name'], SUBSCRIPTION);
      push.answer(200);
      await assert.rejects(
        subscriber.pull({ subscription: SUBSCRIPTION, maxMessages: 1 }),
        /9 FAILED_PRECONDITION.*pushes/,
      );
    }),
  ));

test('pushes of one ordering key follow each other, whatever the window', () =>
  withEndpoint((endpoint) =>
    withPubSub({}, async ({ client, publisher }) => {
      const [topic] = await client.createTopic('events');
      await topic.createSubscription('events', {
        pushConfig: { pushEndpoint: endpoint.url },
        enableMessageOrdering: true,
      });
      for (const orderingKey of ['a', 'b']) {
        const messages = [1, 2, 3].map((at) => ({ data: Buffer.from(`${orderingKey}${at}`), orderingKey }));
        await publisher.publish({ topic: TOPIC, messages });
      }
      const order: string[] = [];
      let refusals = 2;
      while (order.length < 6) {
        const push = await endpoint.next();
        const text = Buffer.from(JSON.parse(push.body).message.data, 'base64').toString();
        const inHand = endpoint.waiting();
        assert.ok(inHand <= 1, 'more than one push a key at a time');
        const isRefused = text === 'a2' && refusals-- > 0;
        if (!isRefused) order.push(text);
        push.answer(isRefused ? 500 : 200);
      }
      const of = (key: string): string[] => order.filter((text) => text.startsWith(key));
      assert.deepEqual(of('a'), ['a1', 'a2', 'a3']);
      assert.deepEqual(of('b'), ['b1', 'b2', 'b3']);
    }),
  ));

test('pushes run side by side up to a window that grows with success', () =>
  withEndpoint((endpoint) =>
    withPubSub({}, async ({ client, publisher }) => {
      const [topic] = await client.createTopic('events');
      await topic.createSubscription('events', { pushConfig: { pushEndpoint: endpoint.url } });
      const messages = Array.from({ length: 100 }, () => ({ data: Buffer.from('x') }));
      await publisher.publish({ topic: TOPIC, messages });
      const inHand: Push[] = [];
      while (inHand.length < 8) inHand.push(await endpoint.next());
      for (const push of inHand.splice(0)) push.answer(200);
      while (inHand.length < 16) inHand.push(await endpoint.next());
      for (const push of inHand.splice(0)) push.answer(200);
      while (inHand.length < 32) inHand.push(await endpoint.next());
      for (const push of inHand.splice(0)) push.answer(200);
    }),
  ));

test('an endpoint that is down is tried again until it is up', () =>
  withPubSub({}, async ({ client, publisher }) => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    taken.close();
    await once(taken, 'close');
    const [topic] = await client.createTopic('events');
    await topic.createSubscription('events', { pushConfig: { pushEndpoint: `http://127.0.0.1:${port}/` } });
    await publisher.publish({ topic: TOPIC, messages: [{ data: Buffer.from('x') }] });
    const server = createServer((_, response) => response.writeHead(200).end());
    server.listen(port, '127.0.0.1');
    await once(server, 'request', { signal: AbortSignal.timeout(5_000) });
    server.closeAllConnections();
    server.close();
  }));
