import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { rotateHandler } from '../../../functions/rotate-secrets/handler.ts';
import { openRotationStore } from '../../../shared/adapters/spanner/rotations/rotation-store.ts';
import type { Log } from '../../../shared/base/log.ts';
import type { Declaration, RotatedSecret } from '../../../shared/model/config/declaration.ts';
import type { Principal } from '../../../shared/model/identity/principal.ts';
import { kafkaSink, openRotationStage, type RotationStage } from './rotation-stage.ts';

const DAY_MS = 86_400_000;
const caller: Principal = {
  issuer: 'test',
  subject: '1',
  email: undefined,
  groups: [],
  kind: 'service',
  name: 'scheduler@test',
};
const apiKey: RotatedSecret = { ...kafkaSink, name: 'api-key', strategy: { kind: 'hmac-key' } };
const both = (stage: RotationStage): Declaration => {
  return { ...stage.declaration, secrets: { [kafkaSink.name]: kafkaSink, [apiKey.name]: apiKey } };
};

let stage: RotationStage;
let url: string;
let allowed: readonly string[];
let declaration: Declaration;
let alerts: Readonly<Record<string, unknown>>[] = [];
const log: Log = (severity, _, fields = {}) => {
  if (severity === 'ALERT') alerts.push(fields);
};
const server = createServer((request, response) => {
  const handle = rotateHandler(
    async () => {
      return {
        verify: async () => caller,
        decide: (_, secret) => ({ allowed: allowed.includes(secret) }),
        require: () => {},
        reading: { subscription: 'projects/p/subscriptions/s', isDeclared: () => true },
        rotator: stage.openRotator({ declaration, log }),
        flush: async () => {},
      };
    },
    { log, refused: () => false },
  );
  void handle(request, response);
});

before(async () => {
  stage = await openRotationStage();
  await stage.addSecret(apiKey.name, JSON.stringify({ id: 'first', key: Buffer.alloc(32, 1).toString('base64') }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await stage[Symbol.asyncDispose]();
});
beforeEach(() => {
  allowed = [kafkaSink.name, apiKey.name];
  declaration = both(stage);
  alerts = [];
});

/** What Cloud Scheduler sees of a tick, and what stands in the answer. */
async function tick() {
  const answer = await fetch(url, { method: 'POST' });
  const body = Object(await answer.json());
  const secrets = new Map<string, Readonly<Record<string, unknown>>>(
    body.secrets.map((one: { secret: string }) => [one.secret, one]),
  );
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body, secrets };
}

test('a tick in which nothing is due, and one that rotates what is due, is 200', async () => {
  assert.equal((await tick()).status, 200);
  stage.nowMs += 29 * DAY_MS;
  const { status, secrets } = await tick();
  assert.equal(status, 200);
  assert.deepEqual(
    [...secrets.values()].map(({ rotations }) => (rotations as unknown[]).length),
    [1, 1],
  );
});

test('a tick in which policies refuse every secret is 403 and names each, and nothing is rotated', async () => {
  const before = await stage.aliases();
  allowed = [];
  const { status, body, secrets } = await tick();
  assert.deepEqual([status, body.code], [403, 'FORBIDDEN']);
  assert.match(body.detail, /do not let scheduler@test rotate any secret/);
  assert.deepEqual([...secrets.keys()], [kafkaSink.name, apiKey.name]);
  for (const { refused } of secrets.values()) assert.match(String(refused), /do not let scheduler@test rotate it/);
  assert.deepEqual(await stage.aliases(), before);
});

test('a secret that policies keep from the schedule fails the tick once that it is due, and is alarmed of as any other', async () => {
  stage.nowMs += DAY_MS;
  await tick();
  allowed = [kafkaSink.name];
  const early = await tick();
  assert.equal(early.status, 200, 'a person may be meant to rotate it, and has time');
  assert.match(String(early.secrets.get(apiKey.name)?.refused), /policies do not let/);
  stage.nowMs += 31 * DAY_MS;
  const { status, retryAfter, body, secrets } = await tick();
  assert.deepEqual([status, body.code], [503, 'TICK_INCOMPLETE']);
  assert.ok(retryAfter);
  assert.match(body.detail, /^1 of 2 secrets did not get what they needed: api-key: a rotation is due, and policies/);
  assert.notDeepEqual(secrets.get(kafkaSink.name)?.rotations, [], 'the other is seen to');
  assert.deepEqual(
    alerts.map(({ alert, secret }) => [alert, secret]),
    [['rotation-overdue', apiKey.name]],
  );
});

test('a rotation that fails for good fails the ticks until it has succeeded', async () => {
  assert.equal((await tick()).status, 200);
  stage.nowMs += 32 * DAY_MS;
  await tick();
  stage.nowMs += DAY_MS;
  await tick();
  stage.nowMs += 28 * DAY_MS;
  declaration = stage.refusing;
  const failed = await tick();
  assert.equal(failed.status, 503);
  assert.match(failed.body.detail, /rotation due-v\d+ failed at step test: .*cannot log in with the new password/);
  assert.equal((await tick()).status, 503);
  declaration = both(stage);
  stage.nowMs += 16 * 60_000;
  assert.equal((await tick()).status, 200);
});

test('what a rotation needs and cannot have fails the tick, and somebody is woken', async () => {
  const strategy = { ...kafkaSink.strategy, admin: 'nowhere' };
  declaration = { ...both(stage), secrets: { [kafkaSink.name]: { ...kafkaSink, strategy } } };
  stage.nowMs += 29 * DAY_MS;
  const { status, body } = await tick();
  assert.deepEqual([status, body.code], [503, 'TICK_INCOMPLETE']);
  assert.ok(alerts.some(({ alert, secret }) => alert === 'rotation-failed' && secret === kafkaSink.name));
  declaration = both(stage);
  assert.equal((await tick()).status, 200);
});

test('a tick that finds another process at work is 200: who works will answer for it', async () => {
  const store = openRotationStore(stage.database, { owner: 'other', leaseMs: 60_000, clock: () => stage.nowMs });
  const known = await store.list(apiKey.name);
  const open = known.find(({ step }) => step === 'retire') ?? assert.fail('no rotation waits');
  const lease = await store.take(apiKey.name, open.id);
  const { status, secrets } = await tick();
  assert.equal(status, 200);
  assert.match(String(secrets.get(apiKey.name)?.busy), /is being rotated by other/);
  assert.deepEqual(alerts, []);
  await store.release(lease);
});
