import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import type { Door, DoorName } from './doors-rig.ts';
import { doorNames, doorsStage, isProblem, push, rotationPush, subscriptions } from './doors-stage.ts';
import type { PrintedLines } from './printed-lines.ts';
import { rawRequest } from './raw-request.ts';

const stage = doorsStage();
const { bearer, doorOf, nothingWasDone, post, stillServes } = stage;

async function signedByStranger({ caller, audience }: Door): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256');
  const jwt = new SignJWT({
    iss: stage.rig.cloud.identity.issuer,
    aud: audience,
    sub: '1',
    email: caller,
    email_verified: true,
  });
  return `Bearer ${await jwt.setProtectedHeader({ alg: 'RS256' }).setIssuedAt().setExpirationTime('1h').sign(privateKey)}`;
}

/** The header that says which algorithm signed is the caller's own word. */
async function unsigned(door: Door, algorithm: string): Promise<string> {
  const [, payload] = (await bearer(door)).split('.');
  const header = Buffer.from(JSON.stringify({ alg: algorithm, typ: 'JWT' })).toString('base64url');
  return `Bearer ${header}.${payload}.${algorithm === 'none' ? '' : 'AAAA'}`;
}

/** How a door answers, what comes to it, why by the audit line, and whether that line names the caller. */
type BadToken = readonly [status: number, authorization: string, reason: string, isVerified?: 'verified'];

async function badTokens(door: Door): Promise<Record<string, BadToken>> {
  const longAgo = Math.floor(Date.now() / 1000) - 3_600;
  return {
    'no scheme': [401, 'AAAA', 'no bearer token'],
    basic: [401, 'Basic YTpiYTpiYTpiYTpi', 'no bearer token'],
    'signed by a stranger': [401, await signedByStranger(door), 'not signed by its issuer'],
    'alg none': [401, await unsigned(door, 'none'), 'not signed by its issuer'],
    'alg HS256': [401, await unsigned(door, 'HS256'), 'not signed by its issuer'],
    'cut off': [401, (await bearer(door)).slice(0, -20), 'not signed by its issuer'],
    expired: [401, await bearer(door, { iat: longAgo - 3_600, exp: longAgo }), 'expired', 'verified'],
    'not valid yet': [401, await bearer(door, { nbf: longAgo + 7_200 }), 'not valid yet', 'verified'],
    'another audience': [
      401,
      await bearer({ ...door, audience: 'https://elsewhere.example' }),
      'made for another audience',
      'verified',
    ],
    'another issuer': [401, await bearer(door, { iss: 'https://accounts.google.com' }), 'issuer not trusted'],
    'e-mail not verified': [
      401,
      await bearer(door, { email_verified: false }),
      'claims that are not taken',
      'verified',
    ],
    'no e-mail': [401, await bearer(door, { email: null }), 'claims that are not taken', 'verified'],
    'not on the list': [
      403,
      await bearer({ ...door, caller: 'stranger@local.iam.gserviceaccount.com' }),
      'caller not on the list',
      'verified',
    ],
    'another project’s push account': [
      403,
      await bearer({ ...door, caller: 'pubsub-push@other.iam.gserviceaccount.com' }),
      'caller not on the list',
      'verified',
    ],
    'too long': [401, `Bearer ${'A'.repeat(12_000)}`, 'token too long'],
    'given to another account': [401, await bearer(door, { azp: '1' }), 'claims that are not taken', 'verified'],
    'issued in the future': [401, await bearer(door, { iat: longAgo + 7_200 }), 'not valid yet', 'verified'],
    'lives for days': [401, await bearer(door, { exp: longAgo + 200_000 }), 'valid for too long', 'verified'],
    'padded scheme': [401, (await bearer(door)).replace(' ', '  '), 'no bearer token'],
  };
}

/** What would be done, and leave a row, for a caller that is let in. */
function goodBody(name: DoorName): string {
  if (name === 'plan-epoch') return '{"feed":"names"}';
  if (name === 'rotate-secrets') return rotationPush('penstock-rotations', 'door-key');
  return push(subscriptions[name] ?? 'airports', '{"iata":"ORD","name":"x","epoch":"e","shard":0}');
}

/** Each attempt has its audit line, in order, and nothing that the function printed holds a token, or a half of one. */
async function leavesLines(printed: PrintedLines, name: DoorName, knocked: readonly [string, BadToken][]) {
  const lines = () => printed.audited('door.enter');
  await printed.until(() => lines().length >= knocked.length, `${knocked.length} audit lines of ${name}`);
  const told = lines().map(({ identity, issuer, reason, outcome, resource, count }) => {
    return [reason, identity === 'unverified' ? issuer : 'verified', outcome, resource, count];
  });
  const expected = knocked.map(([, [, , reason, verified]]) => {
    return [reason, verified, 'refused', `Function/${name}`, undefined];
  });
  assert.deepEqual(told, expected, name);
  const all = printed.all.join('\n');
  for (const [what, [, authorization]] of knocked) {
    const parts = authorization.split(/[ .]+/).filter((part) => part.length > 10);
    for (const part of parts) assert.ok(!all.includes(part), `${name} printed ${part.slice(0, 20)}… of ${what}`);
  }
}

for (const name of [...doorNames, 'trainer'] as const) {
  test(`${name} opens for its callers' tokens only, and does nothing for others`, async () => {
    const door = name === 'trainer' ? await stage.rig.startTrainer() : doorOf(name);
    const reading = name === 'trainer' || name === 'dashboard';
    const path = name === 'trainer' ? '/v1/epochs' : name === 'dashboard' ? '/api/pipelines' : '/';
    const good = name === 'trainer' ? '' : goodBody(name);
    const knock = (authorization: Record<string, string>) =>
      fetch(`${door.url}${path}`, {
        method: reading ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        ...(reading ? {} : { body: good }),
      });
    await isProblem(await knock({}), 401, 'no token');
    const knocked = Object.entries(await badTokens(door));
    for (const [what, [status, authorization]] of knocked) {
      await isProblem(await knock({ authorization }), status, `${name}, ${what}`);
    }
    await nothingWasDone();
    if (name === 'trainer') return;
    await stillServes(name);
    const { printed } = doorOf(name);
    const without: BadToken = [401, '', 'no bearer token'];
    await leavesLines(printed, name, [['no token', without], ...knocked]);
    // read-shard asks once it knows the feed of a shard, and there is no such shard.
    if (name === 'read-shard') return;
    const letIn = () => printed.audited('access.decide').some(({ outcome }) => outcome === 'done');
    await printed.until(letIn, `the line of who was let in to ${name}, where no policies are declared`);
  });
}

test('a token beside another one, or in any header but Authorization, opens no door', async () => {
  for (const name of doorNames) {
    const door = doorOf(name);
    const good = await bearer(door);
    const knock = async (headers: string): Promise<number> => {
      const method = name === 'dashboard' ? 'GET /api/pipelines' : 'POST /';
      const head = `${method} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n${headers}\r\n\r\n`;
      return (await rawRequest(door.url, head)).status;
    };
    for (const headers of [
      `Authorization: ${good}\r\nAuthorization: Bearer x`,
      `Authorization: Bearer x\r\nAUTHORIZATION: ${good}`,
      `Authorization: ${good}, ${good}`,
      `X-Forwarded-Authorization: ${good}`,
      `X-Serverless-Authorization: ${good}`,
      `Proxy-Authorization: ${good}`,
      `Cookie: authorization=${good}`,
      `X-Goog-Authenticated-User-Email: accounts.google.com:${door.caller}`,
      `X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost\r\nForwarded: for=127.0.0.1`,
    ]) {
      assert.equal(await knock(headers), 401, `${name}: ${headers.slice(0, 40)}`);
    }
    await stillServes(name);
  }
  await nothingWasDone();
});

test('no door closes while the issuer changes its key, for tokens of before and after', async () => {
  for (const name of doorNames) {
    const door = await stage.rig.start(name);
    const knock = async (authorization: string) => {
      const path = name === 'dashboard' ? '/api/pipelines' : '/';
      const method = name === 'dashboard' ? 'GET' : 'PUT';
      return (await fetch(`${door.url}${path}`, { method, headers: { authorization } })).status;
    };
    // The doors that write answer 405 behind the door.
    const opened = name === 'dashboard' ? 200 : 405;
    const before = await bearer(door);
    assert.equal(await knock(before), opened);
    await stage.rig.cloud.identity.rotateKey();
    assert.equal(await knock(await bearer(door)), opened, name);
    assert.equal(await knock(before), opened, name);
    await door.stop();
  }
});

test('keys of the issuer that cannot be read are no fault of the token', async () => {
  const issuer = 'http://127.0.0.1:9';
  const door = await stage.rig.start('plan-epoch', { PENSTOCK_OIDC_ISSUER: issuer });
  const answer = await post(door, { headers: { authorization: await bearer(door, { iss: issuer }) } });
  assert.equal(answer.headers.get('retry-after'), '5');
  await isProblem(answer, 503, 'issuer down');
  await door.stop();
});
