import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { pushHandler } from '../../../functions/pubsub-sink/handler.ts';
import { messageSink } from '../../../functions/pubsub-sink/sink-message.ts';
import {
  type Authorization,
  ForbiddenError,
  UnauthenticatedError,
} from '../../../shared/adapters/identity/verify-token.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openEventStore } from '../../../shared/adapters/spanner/ingest/event-store.ts';
import { noLog } from '../../../shared/base/log.ts';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import type { Principal } from '../../../shared/model/identity/principal.ts';
import { plainColumn, withTarget } from '../../shared/model/config/plain-pipeline.ts';
import { airports, databaseName, type Ingest, openIngest } from '../kafka-sink/ingest-fixture.ts';

interface Push {
  readonly id: string;
  readonly data?: string | Buffer | undefined;
  readonly orderingKey?: string;
  readonly attributes?: Record<string, string>;
  readonly subscription?: string;
}

/** The handler on a port. */
async function openSink(ingest: Ingest, pipeline: Pipeline = airports) {
  const store = openEventStore(openSpannerChannel(databaseName, process.env), {
    identity: '',
    owner: '',
    deadlineMs: 2_000,
  });
  const steps = {
    declaration: ingest.declaration(pipeline),
    projectId: 'test',
    sink: messageSink(store),
    admit: () => undefined,
    verify: async (authorization: Authorization): Promise<Principal> => {
      if (authorization === undefined)
        throw new UnauthenticatedError('no bearer token', 'The request carries no bearer token');
      if (String(authorization) !== 'Bearer pusher')
        throw new ForbiddenError({ name: String(authorization), issuer: 'test' });
      return { issuer: 'test', subject: '1', email: 'pusher@test', groups: [], kind: 'service', name: 'pusher@test' };
    },
  };
  const handle = pushHandler(async () => steps, { log: noLog, refused: () => false });
  const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer pusher', ...headers },
      body: JSON.stringify(body),
    });
  return {
    post,
    push: async (push: Push) => (await post(envelope(push))).status,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await store.close();
    },
  };
}

function envelope({ id, data, orderingKey, attributes, subscription = 'projects/test/subscriptions/airports' }: Push) {
  return {
    message: {
      messageId: id,
      publishTime: '2026-01-02T03:04:05.678Z',
      ...(data === undefined ? {} : { data: Buffer.from(data).toString('base64') }),
      ...(orderingKey === undefined ? {} : { orderingKey }),
      ...(attributes === undefined ? {} : { attributes }),
    },
    subscription,
    deliveryAttempt: 1,
  };
}

const ord = (version: number, name = 'O’Hare') => JSON.stringify({ iata: 'ORD', name, version });

test('pushHandler() takes an event once, and sets aside another payload under its id', async () => {
  await using ingest = await openIngest();
  await using sink = await openSink(ingest);
  assert.equal(await sink.push({ id: '1', data: ord(1) }), 204);
  assert.equal(await sink.push({ id: '1', data: ord(1) }), 204);
  assert.equal(await sink.push({ id: '1', data: ord(9, 'Forged') }), 204);
  assert.equal(await sink.push({ id: '1', data: ord(9, 'Forged') }), 204);
  assert.deepEqual(await ingest.query('SELECT * FROM Airports'), [{ Iata: 'ORD', Name: 'O’Hare', Version: 1 }]);
  const letters = await ingest.query('SELECT EventId, Class, Source FROM PenstockDeadLetters');
  assert.deepEqual(letters, [{ EventId: '1', Class: 'conflict', Source: 'pubsub' }]);
});

test('pushHandler() takes a delivery that comes twice at the same time once', async () => {
  await using ingest = await openIngest();
  const counting = withTarget(airports, {
    mode: 'aggregate',
    table: 'Counts',
    columns: [],
    guard: undefined,
    aggregate: {
      groupBy: [plainColumn('Origin', { kind: 'field', path: 'iata' })],
      into: [{ column: 'FlightCount', function: 'count', field: undefined, by: undefined }],
    },
  });
  await using sink = await openSink(ingest, counting);
  const twice = ['1', '2', '3'].flatMap((id) => [id, id]);
  const statuses = await Promise.all(twice.map((id) => sink.push({ id, data: ord(1) })));
  assert.deepEqual([...new Set(statuses)], [204]);
  assert.deepEqual(await ingest.query('SELECT FlightCount FROM Counts'), [{ FlightCount: 3 }]);
});

test('pushHandler() writes a row only when its version grows', async () => {
  await using ingest = await openIngest();
  await using sink = await openSink(ingest);
  for (const [id, version] of [
    ['a', 2],
    ['b', 1],
    ['c', 2],
    ['d', 3],
  ] as const) {
    assert.equal(await sink.push({ id, data: ord(version, `v${version}${id}`) }), 204);
  }
  assert.deepEqual(await ingest.query('SELECT Name FROM Airports'), [{ Name: 'v3d' }]);
  const outcomes = await ingest.query('SELECT EventId, Outcome FROM PenstockReceipts ORDER BY EventId');
  assert.deepEqual(
    outcomes.map(({ Outcome }) => Outcome),
    ['taken', 'skipped', 'skipped', 'taken'],
  );
});

test('pushHandler() sets poison aside with its bytes, and acknowledges it', async () => {
  await using ingest = await openIngest();
  await using sink = await openSink(ingest);
  assert.equal(await sink.push({ id: '1', data: 'no json', orderingKey: 'k', attributes: { a: 'b' } }), 204);
  assert.equal(await sink.push({ id: '2', data: '{"iata":"TOOLONG","version":1}' }), 204);
  assert.equal(await sink.push({ id: '3' }), 204);
  const letters = await ingest.query('SELECT EventId, Class, Headers FROM PenstockDeadLetters ORDER BY EventId');
  assert.deepEqual(
    letters.map(({ Class }) => Class),
    ['undecodable', 'unmappable', 'unmappable'],
  );
  assert.deepEqual(letters[0]?.Headers, [{ name: 'a', text: 'b' }]);
});

test('pushHandler() refuses strangers, unknown subscriptions and what is no push', async () => {
  await using ingest = await openIngest();
  await using sink = await openSink(ingest);
  const good = envelope({ id: '1', data: ord(1) });
  assert.equal((await sink.post(good, { authorization: 'Bearer somebody' })).status, 403);
  assert.equal(await sink.push({ id: '1', data: ord(1), subscription: 'projects/evil/subscriptions/airports' }), 403);
  for (const body of [
    {},
    [],
    null,
    { ...good, message: { messageId: '1', data: '%%' } },
    { ...good, subscription: 1 },
  ]) {
    const answer = await sink.post(body);
    assert.equal(answer.status, 400);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  }
  assert.equal((await sink.post(good, { 'ce-type': 'com.example.other' })).status, 415);
  assert.deepEqual(await ingest.query('SELECT * FROM PenstockReceipts'), []);
});

test('pushHandler() reads the same message as a CloudEvent, binary and structured', async () => {
  await using ingest = await openIngest();
  await using sink = await openSink(ingest);
  const type = 'google.cloud.pubsub.topic.v1.messagePublished';
  const binary = await sink.post(envelope({ id: '1', data: ord(1) }), { 'ce-type': type, 'ce-specversion': '1.0' });
  assert.equal(binary.status, 204);
  const event = { specversion: '1.0', type, id: '2', source: '//pubsub', data: envelope({ id: '2', data: ord(2) }) };
  assert.equal((await sink.post(event, { 'content-type': 'application/cloudevents+json' })).status, 204);
  assert.deepEqual(await ingest.query('SELECT Version FROM Airports'), [{ Version: 2 }]);
});

test('pushHandler() fails where the table does not fit, and outlasts aborted commits', async () => {
  await using ingest = await openIngest();
  await using wrong = await openSink(ingest, withTarget(airports, { table: 'Nowhere' }));
  assert.equal(await wrong.push({ id: '1', data: ord(1) }), 500);
  await using sink = await openSink(ingest);
  assert.equal(await sink.push({ id: '1', data: ord(1) }), 204);
  ingest.spannerServer.setAbortRate(0.3, 7);
  for (let at = 2; at < 12; at++) assert.equal(await sink.push({ id: `${at}`, data: ord(at) }), 204);
  assert.deepEqual(await ingest.query('SELECT Version FROM Airports'), [{ Version: 11 }]);
});

test('pushHandler() asks for redelivery while Spanner is down', async () => {
  await using ingest = await openIngest();
  await using sink = await openSink(ingest);
  assert.equal(await sink.push({ id: '1', data: ord(1) }), 204);
  await ingest.spannerServer.close();
  const answer = await sink.post(envelope({ id: '2', data: ord(2) }));
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers.get('retry-after')) > 0);
});

test('pushHandler() groups a burst into few commits, and answers each message of it for itself', async () => {
  await using ingest = await openIngest();
  const inserting = withTarget(airports, { mode: 'insert', guard: undefined });
  await using sink = await openSink(ingest, inserting);
  assert.equal(await sink.push({ id: 'first', data: JSON.stringify({ iata: 'A0', name: 'n', version: 1 }) }), 204);
  // A0 is there already, B1 is no number, and the rest is well.
  const burst = Array.from({ length: 60 }, (_, at) => ({
    id: `burst-${at}`,
    data: JSON.stringify({ iata: `A${at}`, name: 'n', version: at === 7 ? 'seven' : at }),
  }));
  const statuses = await Promise.all(burst.map((push) => sink.push(push)));
  assert.deepEqual(new Set(statuses), new Set([204]));
  assert.deepEqual(await ingest.query('SELECT COUNT(*) AS n FROM Airports'), [{ n: 59 }]);
  const letters = await ingest.query('SELECT EventId, Class FROM PenstockDeadLetters ORDER BY EventId');
  assert.deepEqual(letters, [
    { EventId: 'burst-0', Class: 'conflict' },
    { EventId: 'burst-7', Class: 'unmappable' },
  ]);
  const clean = Array.from({ length: 60 }, (_, at) => ({
    id: `clean-${at}`,
    data: JSON.stringify({ iata: `C${at}`, name: 'n', version: at }),
  }));
  await Promise.all(clean.map((push) => sink.push(push)));
  const commits = await ingest.query(
    "SELECT COUNT(DISTINCT ReceivedAt) AS n FROM PenstockReceipts WHERE STARTS_WITH(EventId, 'clean')",
  );
  assert.ok(Number(commits[0]?.n) < 20, `60 messages took ${commits[0]?.n} commits`);
});
