import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SignJWT } from 'jose';
import { openTrainer, type Trainer } from '../../../../deploy/local/trainer/server.ts';
import { verifyToken } from '../../../../deploy/local/trainer/verify-token.ts';
import { openTestIssuer, type TestIssuer } from './test-issuer.ts';
import { trainerClient } from './trainer-client.ts';

const reader = 'read-shard@demo.iam.gserviceaccount.com';
let issuer: TestIssuer;
let other: TestIssuer;
let trainer: Trainer;
let dir: string;

before(async () => {
  [issuer, other] = [await openTestIssuer(), await openTestIssuer()];
  dir = await mkdtemp(join(tmpdir(), 'trainer-'));
  trainer = await openTrainer({ dir, verify: { issuer: issuer.url, callers: [reader] } });
});

after(async () => {
  await Promise.all([trainer.close(), issuer.close(), other.close()]);
  await rm(dir, { recursive: true });
});

const claims = (more: Record<string, unknown> = {}) => ({
  aud: trainer.url,
  email: reader,
  email_verified: true,
  ...more,
});

async function ask(token: string | undefined): Promise<{ status: number; detail: string | undefined }> {
  const { status, detail } = await trainerClient(trainer.url, token).call('GET', '/v1/epochs');
  return { status, detail };
}

test('verifyToken() lets in an allowed caller with a token for this trainer', async () => {
  assert.equal((await ask(await issuer.token(claims()))).status, 200);
});

test('verifyToken() refuses a caller who is not allowed with 403', async () => {
  const { status, detail } = await ask(await issuer.token(claims({ email: 'mallory@example.com' })));
  assert.equal(status, 403);
  assert.match(detail ?? '', /mallory@example.com may not call/);
});

const seconds = (fromNow: number) => Math.floor(Date.now() / 1_000) + fromNow;

for (const [what, token] of [
  ['no token', async () => undefined],
  ['no JWT', async () => 'hello'],
  ['another audience', () => issuer.token(claims({ aud: 'http://127.0.0.1:1' }))],
  ['an expired token', () => issuer.token(claims(), { expiresIn: '-1m' })],
  ['an email that is not verified', () => issuer.token(claims({ email_verified: false }))],
  ['no email', () => issuer.token(claims({ email: undefined }))],
  ['another issuer’s name', () => issuer.token(claims(), { issuer: other.url })],
  ['another issuer’s key', () => other.token(claims(), { issuer: issuer.url })],
  ['a token signed with a shared secret', () => forge('HS256')],
  ['a token that was given to another account', () => issuer.token(claims({ azp: '2' }))],
  ['a token for several, given to nobody', () => issuer.token(claims({ aud: [trainer.url, 'http://127.0.0.1:1'] }))],
  ['a token that names no subject', () => issuer.token(claims({ sub: undefined }))],
  ['a token that says no time of issue', () => issuer.token(claims({ iat: undefined }))],
  ['a token of the future', () => issuer.token(claims({ iat: seconds(60) }))],
  ['a token that is not valid yet', () => issuer.token(claims({ nbf: seconds(60) }))],
  ['a token that lives for three hours', () => issuer.token(claims(), { expiresIn: '3h' })],
  ['a token of 9,000 characters', () => issuer.token(claims({ more: 'x'.repeat(6_500) }))],
] as const) {
  test(`verifyToken() refuses ${what} with 401`, async () => {
    const { status } = await ask(await token());
    assert.equal(status, 401);
  });
}

function forge(alg: string): Promise<string> {
  return new SignJWT(claims())
    .setProtectedHeader({ alg, kid: 'k1' })
    .setIssuer(issuer.url)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode('a secret that the trainer does not share'));
}

test('verifyToken() takes what the clocks’ difference of 30 s explains, and no more', async () => {
  const token = await issuer.token(claims({ iat: seconds(20), nbf: seconds(20), azp: reader }), { expiresIn: '1h' });
  assert.equal((await ask(token)).status, 200);
  let nowMs = Date.now();
  const verify = verifyToken({ issuer: issuer.url, audience: trainer.url, now: () => nowMs });
  const usual = `Bearer ${await issuer.token(claims())}`;
  nowMs += 3_620_000;
  assert.deepEqual(await verify(usual), { email: reader });
  nowMs += 20_000;
  await assert.rejects(verify(usual), { status: 401 });
});

test('verifyToken() wants one header, one space and one token', async () => {
  const token = await issuer.token(claims());
  const knock = (...given: string[]) =>
    new Promise<number | undefined>((settle, reject) => {
      const headers = ['host', 'trainer', ...given.flatMap((authorization) => ['authorization', authorization])];
      request(`${trainer.url}/v1/epochs`, { headers }, (answer) => settle(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
  assert.equal(await knock(`bEARER ${token}`), 200);
  for (const odd of [
    [`Bearer ${token}`, 'Bearer x'],
    ['Bearer x', `Bearer ${token}`],
    [`Bearer ${token}, Bearer ${token}`],
    [`Bearer  ${token}`],
    [`Bearer\t${token}`],
    [`Bearer${token}`],
    [token],
  ]) {
    assert.equal(await knock(...odd), 401, odd.map((one) => one.slice(0, 20)).join());
  }
});

test('verifyToken() answers 503 while the issuer is down, and lets in when it is there', async (t) => {
  const late = await openTestIssuer();
  const token = await late.token(claims({ aud: 'late' }));
  await late.close();
  let nowMs = Date.now();
  const verify = { issuer: late.url, audience: 'late', now: () => nowMs };
  const waiting = await openTrainer({ dir: join(dir, 'late'), verify });
  t.after(() => waiting.close());
  const client = trainerClient(waiting.url, token);
  const { status, retryAfter } = await client.call('GET', '/v1/epochs');
  assert.deepEqual([status, retryAfter], [503, '1']);
  await late.reopen();
  t.after(() => late.close());
  nowMs += 1_000;
  assert.equal((await client.call('GET', '/v1/epochs')).status, 200);
});

test('openTrainer() asks a check of one’s own, and answers 401 when it throws', async (t) => {
  const verify = async (authorization: string | undefined) => {
    if (authorization !== 'Bearer open') throw new Error('wrong word');
    return { email: reader };
  };
  const own = await openTrainer({ dir: join(dir, 'own'), verify });
  t.after(() => own.close());
  assert.equal((await trainerClient(own.url, 'open').call('GET', '/v1/epochs')).status, 200);
  const { status, contentType, detail } = await trainerClient(own.url, 'shut').call('GET', '/v1/epochs');
  assert.deepEqual([status, contentType], [401, 'application/problem+json']);
  assert.match(detail ?? '', /wrong word/);
});
