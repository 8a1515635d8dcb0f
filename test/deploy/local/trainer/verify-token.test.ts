import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SignJWT } from 'jose';
import { openTrainer, type Trainer } from '../../../../deploy/local/trainer/server.ts';
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

test('verifyToken() answers 503 while the issuer is down, and lets in when it is there', async (t) => {
  const late = await openTestIssuer();
  const token = await late.token(claims({ aud: 'late' }));
  await late.close();
  const waiting = await openTrainer({ dir: join(dir, 'late'), verify: { issuer: late.url, audience: 'late' } });
  t.after(() => waiting.close());
  const client = trainerClient(waiting.url, token);
  const { status, retryAfter } = await client.call('GET', '/v1/epochs');
  assert.deepEqual([status, retryAfter], [503, '1']);
  await late.reopen();
  t.after(() => late.close());
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
