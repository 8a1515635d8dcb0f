import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type PlanDoor, planHandler } from '../../../functions/plan-epoch/handler.ts';
import { type ReadDoor, readHandler } from '../../../functions/read-shard/handler.ts';
import type { ShardOutcome } from '../../../functions/read-shard/read-shard.ts';
import { type Authorization, UnauthenticatedError } from '../../../shared/adapters/identity/verify-token.ts';
import { PenstockError } from '../../../shared/base/errors.ts';
import { noLog } from '../../../shared/base/log.ts';
import type { Principal } from '../../../shared/model/identity/principal.ts';

const subscription = 'projects/p/subscriptions/penstock-shards';

type Handle = ReturnType<typeof readHandler>;

async function serve(context: TestContext, handle: Handle): Promise<string> {
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function verify(authorization: Authorization): Promise<Principal> {
  if (String(authorization) !== 'Bearer good') throw new UnauthenticatedError('no bearer token', 'no');
  return { issuer: 'test', subject: '1', email: undefined, groups: [], kind: 'service', name: 'test#1' };
}

function push(job: unknown, token = 'good'): RequestInit {
  const data = Buffer.from(typeof job === 'string' ? job : JSON.stringify(job)).toString('base64');
  const body = JSON.stringify({ message: { data, messageId: '1' }, subscription });
  return { method: 'POST', body, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } };
}

async function openRead(context: TestContext, outcome: ShardOutcome | Error) {
  const handedOn: string[] = [];
  const relieved: string[] = [];
  const origins: unknown[] = [];
  const ending = new AbortController();
  const door: ReadDoor = {
    subscription,
    verify,
    read: async (_epoch, _shard, { origin }) => {
      origins.push(origin);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
    handOn: async (epoch, shard) => void handedOn.push(`${epoch}/${shard}`),
    relieve: async (epoch) => void relieved.push(epoch),
    nowMs: () => 1_000,
    deadlineMs: 1_000,
    ending: ending.signal,
  };
  const handle = readHandler(async () => door, { log: noLog, refused: () => false });
  return { url: await serve(context, handle), handedOn, relieved, origins, ending };
}

const job = { epoch: 'e', shard: 3 };
const position = { block: 1, afterKey: ['a'], nextSequence: 8, rows: 256 };

test('readHandler() acknowledges a shard that is delivered, and asks for a leased one again when the lease ends', async (context) => {
  const done = await openRead(context, { status: 'done', rows: 1, batches: 1 });
  assert.equal((await fetch(done.url, push(job))).status, 204);
  assert.deepEqual(done.relieved, ['e'], 'its reader is free for what holds the epoch up');
  const leased = await openRead(context, { status: 'leased', expiresAtMs: 13_500 });
  const answer = await fetch(leased.url, push(job));
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '13']);
  assert.deepEqual(leased.relieved, []);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
});

test('readHandler() goes on with the trace that the message carries, and with none where it is no trace', async (context) => {
  const { url, origins } = await openRead(context, { status: 'done', rows: 1, batches: 1 });
  const traced = (traceparent: unknown): RequestInit => {
    const data = Buffer.from(JSON.stringify(job)).toString('base64');
    const body = JSON.stringify({ message: { data, attributes: { traceparent } }, subscription });
    return { ...push(job), body };
  };
  const [traceId, spanId] = ['a'.repeat(32), '1'.repeat(16)];
  for (const given of [`00-${traceId}-${spanId}-01`, 'x', 7])
    assert.equal((await fetch(url, traced(given))).status, 204);
  assert.deepEqual(origins, [{ traceId, spanId, traceFlags: 1 }, undefined, undefined]);
});

test('readHandler() hands the remainder on at its deadline, but refuses the message when the instance ends', async (context) => {
  const { url, handedOn, ending } = await openRead(context, { status: 'stopped', position });
  assert.equal((await fetch(url, push(job))).status, 204);
  assert.deepEqual(handedOn, ['e/3']);
  ending.abort();
  assert.equal((await fetch(url, push(job))).status, 503);
  assert.deepEqual(handedOn, ['e/3']);
});

test('readHandler() acknowledges what another try cannot mend, and asks again for what it can', async (context) => {
  const details = { code: 'X', remedy: 'r' };
  const final = await openRead(context, new PenstockError('no', { ...details, retryable: false }));
  assert.equal((await fetch(final.url, push(job))).status, 204);
  const later = await openRead(context, new PenstockError('no', { ...details, retryable: true }));
  assert.equal((await fetch(later.url, push(job))).status, 503);
  const grpc = await openRead(context, Object.assign(new Error('14 UNAVAILABLE'), { code: 14 }));
  assert.equal((await fetch(grpc.url, push(job))).status, 503);
  const bug = await openRead(context, new Error('bug'));
  assert.equal((await fetch(bug.url, push(job))).status, 500);
});

test('readHandler() refuses a missing token and messages that are no shard job', async (context) => {
  const { url } = await openRead(context, { status: 'done-before' });
  assert.equal((await fetch(url, push(job, 'forged'))).status, 401);
  for (const bad of [
    '{',
    [],
    { epoch: 'e' },
    { epoch: '', shard: 0 },
    { epoch: 'e', shard: -1 },
    { epoch: 'e', shard: '1' },
  ]) {
    assert.equal((await fetch(url, push(bad))).status, 400, JSON.stringify(bad));
  }
  assert.equal((await fetch(url, { ...push(job), body: '{}' })).status, 400);
});

test('readHandler() takes no jobs from another subscription, whoever pushes them', async (context) => {
  const { url } = await openRead(context, { status: 'done-before' });
  const body = String(push(job).body);
  const strange = body.replace(subscription, 'projects/p/subscriptions/penstock-shards-2');
  assert.equal((await fetch(url, { ...push(job), body: strange })).status, 403);
  assert.equal((await fetch(url, { ...push(job), body })).status, 204);
});

test('planHandler() takes the feed from body or path and the tick from the scheduler’s header', async (context) => {
  const asked: unknown[] = [];
  const door: PlanDoor = {
    verify,
    plan: async (_, feed, tick) => {
      asked.push([feed, tick.scheduleTime, tick.idempotencyKey]);
      if (feed === 'none') throw new PenstockError('no feed', { code: 'NOT_FOUND', remedy: 'r', retryable: false });
      if (tick.idempotencyKey === 'bad') throw new RangeError('bad key');
      throw new PenstockError('down', { code: 'DOWN', remedy: 'r', retryable: true });
    },
    nowMs: () => 0,
  };
  const url = await serve(
    context,
    planHandler(async () => door, { log: noLog, refused: () => false }),
  );
  const headers = { authorization: 'Bearer good', 'x-cloudscheduler-scheduletime': '2026-11-21T07:00:00Z' };
  assert.equal((await fetch(`${url}/delays`, { method: 'POST', headers })).status, 503);
  const body = JSON.stringify({ feed: 'none' });
  const typed = { ...headers, 'content-type': 'application/json' };
  assert.equal((await fetch(url, { method: 'POST', headers: typed, body })).status, 404);
  assert.equal((await fetch(url, { method: 'POST', headers, body })).status, 415);
  assert.equal((await fetch(`${url}/%E0%A4%A`, { method: 'POST', headers })).status, 400);
  const keyed = { authorization: 'Bearer good', 'idempotency-key': 'bad' };
  assert.equal((await fetch(`${url}/delays`, { method: 'POST', headers: keyed })).status, 400);
  assert.equal((await fetch(url, { method: 'POST', headers })).status, 400);
  assert.equal((await fetch(`${url}/delays`, { headers })).status, 405);
  assert.equal((await fetch(`${url}/delays`, { method: 'POST' })).status, 401);
  assert.deepEqual(asked, [
    ['delays', '2026-11-21T07:00:00Z', undefined],
    ['none', '2026-11-21T07:00:00Z', undefined],
    ['delays', undefined, 'bad'],
  ]);
});
