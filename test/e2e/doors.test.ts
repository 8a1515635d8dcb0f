import assert from 'node:assert/strict';
import { Agent, type RequestOptions, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { localProject } from '../../deploy/local/project.ts';
import { peakRssMb } from '../chaos/peak-rss.ts';
import { type Door, type DoorName, type DoorsRig, doors, openDoorsRig } from './doors-rig.ts';
import { lateServer } from './late-server.ts';
import { rawRequest } from './raw-request.ts';

type RunningDoor = Awaited<ReturnType<DoorsRig['start']>>;

const names = Object.keys(doors).filter((name): name is DoorName => name in doors);
/** Those that take a body. */
const posted = names.filter((name) => name !== 'dashboard');
const MIB = 1024 * 1024;
/** What gives away how a function is made: traces, paths, markup of the framework. */
const leaks = /node_modules|\bat \S+ \(|<pre|\.js:\d+|\/(work|home|tmp|workspace|usr)\//i;

let rig: DoorsRig;
let trainer: Door;
let rowsAtStart = 0;
const open = new Map<DoorName, RunningDoor>();
before(async () => {
  rig = await openDoorsRig();
  await Promise.all(names.map(async (name) => open.set(name, await rig.start(name))));
  trainer = await rig.startTrainer();
  await stillServes('pubsub-sink');
  rowsAtStart = await rig.writtenRows();
});
after(() => rig.close());

function doorOf(name: DoorName): RunningDoor {
  const door = open.get(name);
  assert.ok(door);
  return door;
}

async function bearer({ caller, audience }: Door, claims: JWTPayload = {}): Promise<string> {
  return `Bearer ${await rig.cloud.identity.mintIdToken(caller, audience, claims)}`;
}

/** Sends JSON with a good token unless told otherwise. */
async function post(
  door: Door,
  init: { headers?: Record<string, string>; body?: string | Buffer; path?: string } = {},
) {
  const { headers = {}, body = '{}', path = '/' } = init;
  return fetch(`${door.url}${path}`, {
    method: 'POST',
    headers: { authorization: await bearer(door), 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
}

async function isProblem(answer: Response, status: number, what: string): Promise<void> {
  const body = await answer.text();
  assert.equal(answer.status, status, `${what}: ${body}`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/, what);
  assert.doesNotMatch(body, leaks, what);
  const problem: unknown = JSON.parse(body);
  assert.ok(typeof problem === 'object' && problem !== null && 'detail' in problem && 'status' in problem, what);
  assert.equal(problem.status, status);
}

function push(subscription: string, data: string, messageId = '1'): string {
  const message = { messageId, data: Buffer.from(data).toString('base64'), publishTime: '2026-01-02T03:04:05.678Z' };
  return JSON.stringify({ message, subscription: `projects/${localProject}/subscriptions/${subscription}` });
}

async function nothingWasDone(): Promise<void> {
  assert.ok(rowsAtStart > 0);
  assert.equal(await rig.writtenRows(), rowsAtStart);
}

/** Each answers a good request: it was not harmed. */
async function stillServes(name: DoorName): Promise<void> {
  const door = doorOf(name);
  const headers = { authorization: await bearer(door) };
  if (name === 'dashboard') {
    assert.equal((await fetch(`${door.url}/api/pipelines`, { headers })).status, 200);
  } else if (name === 'kafka-sink') {
    assert.deepEqual((await post(door, { body: '' })).status, 200);
  } else if (name === 'pubsub-sink') {
    // The same message each time, so that it is written once.
    const good = push('airports', JSON.stringify({ iata: 'ORD', name: 'O’Hare' }), 'good');
    assert.equal((await post(door, { body: good })).status, 204);
  } else {
    // What is asked for is not there, and that is said from behind the door.
    const body = name === 'read-shard' ? push('penstock-shards', '{"epoch":"none","shard":0}') : '{"feed":"none"}';
    await isProblem(await post(door, { body }), 404, name);
  }
}

async function signedByStranger({ caller, audience }: Door): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256');
  const jwt = new SignJWT({
    iss: rig.cloud.identity.issuer,
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

async function badTokens(door: Door): Promise<Record<string, readonly [status: number, authorization: string]>> {
  const longAgo = Math.floor(Date.now() / 1000) - 3_600;
  return {
    'no scheme': [401, 'AAAA'],
    basic: [401, 'Basic YTpi'],
    'signed by a stranger': [401, await signedByStranger(door)],
    'alg none': [401, await unsigned(door, 'none')],
    'alg HS256': [401, await unsigned(door, 'HS256')],
    'cut off': [401, (await bearer(door)).slice(0, -20)],
    expired: [401, await bearer(door, { iat: longAgo - 3_600, exp: longAgo })],
    'not valid yet': [401, await bearer(door, { nbf: longAgo + 7_200 })],
    'another audience': [401, await bearer({ ...door, audience: 'https://elsewhere.example' })],
    'another issuer': [401, await bearer(door, { iss: 'https://accounts.google.com' })],
    'e-mail not verified': [401, await bearer(door, { email_verified: false })],
    'no e-mail': [401, await bearer(door, { email: null })],
    'not on the list': [403, await bearer({ ...door, caller: 'stranger@local.iam.gserviceaccount.com' })],
    'another project’s push account': [
      403,
      await bearer({ ...door, caller: 'pubsub-push@other.iam.gserviceaccount.com' }),
    ],
    'too long': [401, `Bearer ${'A'.repeat(12_000)}`],
  };
}

/** What the functions refuse beside; a trainer may be anybody's. */
async function strangeTokens(door: Door): Promise<Awaited<ReturnType<typeof badTokens>>> {
  const longAgo = Math.floor(Date.now() / 1000) - 3_600;
  return {
    'given to another account': [401, await bearer(door, { azp: '1' })],
    'issued in the future': [401, await bearer(door, { iat: longAgo + 7_200 })],
    'lives for days': [401, await bearer(door, { exp: longAgo + 200_000 })],
    'padded scheme': [401, (await bearer(door)).replace(' ', '  ')],
  };
}

for (const name of [...names, 'trainer'] as const) {
  test(`${name} opens for its callers' tokens only, and does nothing for others`, async () => {
    const door = name === 'trainer' ? trainer : doorOf(name);
    const reading = name === 'trainer' || name === 'dashboard';
    const path = name === 'trainer' ? '/v1/epochs' : name === 'dashboard' ? '/api/pipelines' : '/';
    const subscription = name === 'read-shard' ? 'penstock-shards' : 'airports';
    const good =
      name === 'plan-epoch'
        ? '{"feed":"names"}'
        : push(subscription, '{"iata":"ORD","name":"x","epoch":"e","shard":0}');
    const knock = (authorization: Record<string, string>) =>
      fetch(`${door.url}${path}`, {
        method: reading ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        ...(reading ? {} : { body: good }),
      });
    await isProblem(await knock({}), 401, 'no token');
    const strange = name === 'trainer' ? {} : await strangeTokens(door);
    for (const [what, [status, authorization]] of Object.entries({ ...(await badTokens(door)), ...strange })) {
      await isProblem(await knock({ authorization }), status, `${name}, ${what}`);
    }
    await nothingWasDone();
    if (name !== 'trainer') await stillServes(name);
  });
}

for (const name of posted) {
  test(`${name} answers what is no JSON of its own with a problem`, async () => {
    const door = doorOf(name);
    const bad: Record<string, readonly [status: number, Parameters<typeof post>[1]]> = {
      'cut JSON': [400, { body: '{"feed":' }],
      'no JSON': [400, { body: '%PDF-1.7' }],
      'invalid UTF-8': [400, { body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) }],
      'deep nesting': [400, { body: `${'['.repeat(30_000)}` }],
      text: [415, { headers: { 'content-type': 'text/plain' } }],
      form: [415, { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'feed=names' }],
      'a strange charset': [415, { headers: { 'content-type': 'text/plain; charset=klingon' } }],
      'no type that exists': [415, { headers: { 'content-type': '////' } }],
      packed: [415, { headers: { 'content-encoding': 'gzip' }, body: Buffer.from('1f8b08000000', 'hex') }],
      'packed oddly': [415, { headers: { 'content-encoding': 'zip-bomb' } }],
    };
    for (const [what, [status, init]] of Object.entries(bad)) await isProblem(await post(door, init), status, what);
    if (name !== 'kafka-sink') await isProblem(await post(door, { body: '' }), 400, 'empty body');
    if (name !== 'kafka-sink') await isProblem(await post(door, { body: '[null]' }), 400, 'other JSON');
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const headers = { authorization: await bearer(door) };
      const answer = await fetch(door.url, { method, headers });
      assert.equal(answer.headers.get('allow'), 'POST');
      await isProblem(answer, 405, method);
    }
    await stillServes(name);
    await nothingWasDone();
  });
}

test('no function shows what it is made of at odd paths, and none does anything there', async () => {
  for (const name of names) {
    const door = doorOf(name);
    for (const path of [
      '/%',
      '/%zz',
      '/%E0%A4%A',
      '/..%2f..%2fetc/passwd',
      '//evil.example/',
      '/%00',
      '/a?b=%ff&__proto__[x]=1',
    ]) {
      const init = { headers: { authorization: await bearer(door) } };
      const answer =
        name === 'dashboard' ? await fetch(`${door.url}${path}`, init) : await post(door, { path, body: '{' });
      await isProblem(answer, name === 'dashboard' ? 404 : 400, `${name} ${path}`);
    }
    // The framework answers these two itself, with nothing in them.
    for (const path of ['/favicon.ico', '/robots.txt']) {
      const answer = await fetch(`${door.url}${path}`);
      assert.deepEqual([answer.status, await answer.text()], [404, '']);
    }
    for (const target of ['http://elsewhere.example/x', '*', '/ HTTP/0.9']) {
      const answer = await rawRequest(door.url, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.ok(answer.status >= 400 && answer.status < 500, `${name} ${target}: ${answer.text}`);
      assert.doesNotMatch(answer.text, leaks);
      // People see the dashboard's own notice there; nobody sees the framework's page.
      if (name !== 'dashboard') assert.doesNotMatch(answer.text, /<html/i);
    }
    await stillServes(name);
  }
  await nothingWasDone();
});

test('a body that lies about its length is refused or never begun, and the function goes on', async () => {
  for (const name of posted) {
    const door = doorOf(name);
    const good = push(name === 'read-shard' ? 'penstock-shards' : 'airports', '{"iata":"ORD","name":"x"}');
    const head = (length: string) =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: ${authorization}\r\n${length}\r\n\r\n`;
    const authorization = await bearer(door);
    const longer = await rawRequest(door.url, `${head(`Content-Length: ${good.length + 100}`)}${good}`, { half: true });
    // Node itself answers a connection that ends inside a message.
    assert.ok([0, 400].includes(longer.status), longer.text);
    const shorter = await rawRequest(door.url, `${head(`Content-Length: ${good.length - 30}`)}${good}`);
    assert.equal(shorter.status, 400, shorter.text);
    const both = await rawRequest(door.url, `${head('Content-Length: 3\r\nTransfer-Encoding: chunked')}0\r\n\r\n`);
    assert.equal(both.status, 400, both.text);
    for (const length of ['-1', '1e3', '99999999999999999999', '3, 4']) {
      const { status, text: answer } = await rawRequest(door.url, `${head(`Content-Length: ${length}`)}{}`, {
        isEnough: (soFar) => soFar.includes('\r\n\r\n'),
      });
      assert.ok(status >= 400 && status < 500, `${length}: ${answer}`);
    }
    const chunk = await rawRequest(door.url, `${head('Transfer-Encoding: chunked')}zz\r\n{}`);
    assert.equal(chunk.status, 400, chunk.text);
    for (const { text: answer } of [longer, shorter, both, chunk]) assert.doesNotMatch(answer, leaks);
    await stillServes(name);
  }
  await nothingWasDone();
});

test('header bombs are refused', async () => {
  for (const name of names) {
    const door = doorOf(name);
    const huge = await rawRequest(door.url, `GET / HTTP/1.1\r\nHost: x\r\nX-Bomb: ${'a'.repeat(64 * 1024)}\r\n\r\n`);
    assert.equal(huge.status, 431, huge.text);
    const many = Array.from({ length: 5_000 }, (_, at) => `x${at}: y`).join('\r\n');
    const crowd = await rawRequest(door.url, `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${many}\r\n\r\n`);
    assert.ok([401, 431].includes(crowd.status), crowd.text);
    const split = await rawRequest(door.url, 'GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\rX: y\r\n\r\n');
    assert.equal(split.status, 400);
    const twice = 'Authorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: close';
    assert.equal((await rawRequest(door.url, `POST / HTTP/1.1\r\nHost: x\r\n${twice}\r\n\r\n`)).status, 401);
    await stillServes(name);
  }
});

test('a token beside another one, or in any header but Authorization, opens no door', async () => {
  for (const name of names) {
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
  for (const name of names) {
    const door = await rig.start(name);
    const knock = async (authorization: string) => {
      const path = name === 'dashboard' ? '/api/pipelines' : '/';
      const method = name === 'dashboard' ? 'GET' : 'PUT';
      return (await fetch(`${door.url}${path}`, { method, headers: { authorization } })).status;
    };
    // The doors that write answer 405 behind the door.
    const opened = name === 'dashboard' ? 200 : 405;
    const before = await bearer(door);
    assert.equal(await knock(before), opened);
    await rig.cloud.identity.rotateKey();
    assert.equal(await knock(await bearer(door)), opened, name);
    assert.equal(await knock(before), opened, name);
    await door.stop();
  }
});

/** @returns the status, which may come before all is sent */
async function sendMuch(
  door: Door,
  bytes: number,
  { chunked, token }: { chunked: boolean; token: boolean },
): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    ...(chunked ? {} : { 'content-length': String(bytes) }),
    ...(token ? { authorization: await bearer(door) } : {}),
  };
  const piece = Buffer.alloc(MIB, 0x20);
  return new Promise((resolve, reject) => {
    const sent = request(door.url, { method: 'POST', headers }, (answer) => {
      void text(answer).then(() => resolve(answer.statusCode ?? 0), reject);
    });
    sent.on('error', reject);
    const send = (left: number): void => {
      if (left === 0) sent.end();
      else sent.write(piece, () => send(left - MIB));
    };
    send(bytes);
  });
}

test('bodies of 64 MiB are refused in bounded memory, with a token and without, counted and chunked', async () => {
  for (const name of names) {
    const door = doorOf(name);
    const before = peakRssMb(door.pid);
    for (const chunked of [false, true]) {
      assert.equal(await sendMuch(door, 64 * MIB, { chunked, token: false }), 401, name);
      const status = await sendMuch(door, 64 * MIB, { chunked, token: true });
      assert.equal(status, name === 'dashboard' ? 405 : 413, name);
    }
    const grown = peakRssMb(door.pid) - before;
    assert.ok(before > 0 && grown < 100, `${name} grew by ${grown} MB from ${before} MB`);
    await stillServes(name);
  }
});

test('what is not there is said, and what would lead elsewhere leads nowhere', async () => {
  const plan = doorOf('plan-epoch');
  for (const feed of ['none', '__proto__', 'constructor', '../names', 'names/..', 'Names', ' names']) {
    await isProblem(await post(plan, { body: JSON.stringify({ feed }) }), 404, feed);
  }
  for (const feed of [7, true, ['names'], { toString: 'names' }, '']) {
    await isProblem(await post(plan, { body: JSON.stringify({ feed }) }), 400, JSON.stringify(feed));
  }
  const read = doorOf('read-shard');
  const job = (epoch: unknown, shard: unknown) =>
    post(read, { body: push('penstock-shards', JSON.stringify({ epoch, shard })) });
  await isProblem(await job('names-20260101T000000Z', 0), 404, 'never planned');
  for (const epoch of [
    '../../metrics',
    'x/../../y',
    '..',
    '%2e%2e%2f',
    'a\u0000b',
    'http://evil.example/',
    '\ud800',
    '?#',
    7,
    null,
    '',
  ]) {
    await isProblem(await job(epoch, 0), 400, String(epoch));
  }
  for (const shard of [-1, 0.5, '0', null, 1e300, 2 ** 53])
    await isProblem(await job('none', shard), 400, String(shard));
  const stranger = push('airports', JSON.stringify({ epoch: 'none', shard: 0 }));
  await isProblem(await post(read, { body: stranger }), 403, 'another subscription');
  await isProblem(
    await post(doorOf('pubsub-sink'), { body: push('penstock-shards', '{}') }),
    403,
    'another subscription',
  );
  await nothingWasDone();
});

test('a function that is not set up says so without telling how, and none opens for everybody', async () => {
  const isRefused = async (name: DoorName, unset: Readonly<Record<string, string>>): Promise<void> => {
    const door = await rig.start(name, unset);
    const answer = await post(door, { body: '' });
    const body = await answer.clone().text();
    await isProblem(answer, 500, name);
    assert.match(body, /"code":"CONFIG"/);
    assert.doesNotMatch(body, /nowhere|PENSTOCK_/);
    await door.stop();
  };
  for (const name of names) {
    await Promise.all([
      isRefused(name, { PENSTOCK_DECLARATION: '/nowhere/declaration.json' }),
      isRefused(name, { PENSTOCK_CALLERS: '' }),
    ]);
  }
});

test('a function whose Spanner is down at start asks to be called again, and serves once it is there', async () => {
  const spanner = await lateServer(rig.cloud.env.SPANNER_EMULATOR_HOST ?? '');
  const bodies = {
    'pubsub-sink': push('airports', '{"iata":"SFO","name":"San Francisco"}', 'sfo'),
    'plan-epoch': '{"feed":"names"}',
    'read-shard': push('penstock-shards', '{"epoch":"none","shard":0}'),
  };
  const early = await Promise.all(
    posted
      .flatMap((name) => (name === 'kafka-sink' ? [] : [name]))
      .map(async (name) => {
        const door = await rig.start(name, { SPANNER_EMULATOR_HOST: spanner.address });
        const answer = await post(door, { body: bodies[name] });
        assert.ok(Number(answer.headers.get('retry-after')) > 0, name);
        await isProblem(answer, 503, name);
        return { name, door };
      }),
  );
  await spanner.arrive();
  const wanted = { 'pubsub-sink': 204, 'plan-epoch': 404, 'read-shard': 404 };
  for (const { name, door } of early) {
    const body = name === 'plan-epoch' ? '{"feed":"none"}' : bodies[name];
    const isServed = async (): Promise<boolean> => (await post(door, { body })).status === wanted[name];
    // The client looks again for a server that was down after two seconds at most.
    for (let tries = 0; !(await isServed()); tries++) assert.ok(tries < 5, `${name} does not recover`);
    await door.stop();
  }
  await spanner.close();
});

test('keys of the issuer that cannot be read are no fault of the token', async () => {
  const issuer = 'http://127.0.0.1:9';
  const door = await rig.start('plan-epoch', { PENSTOCK_OIDC_ISSUER: issuer });
  const answer = await post(door, { headers: { authorization: await bearer(door, { iss: issuer }) } });
  assert.equal(answer.headers.get('retry-after'), '5');
  await isProblem(answer, 503, 'issuer down');
  await door.stop();
});

test('pubsub-sink stays under 300 MB in a burst of 6,000 messages, 256 at once', async () => {
  const door = await rig.start('pubsub-sink');
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const authorization = await bearer(door);
  const statuses = await Promise.all(
    Array.from({ length: 6_000 }, (_, at) => {
      const body = push('airports', JSON.stringify({ iata: at.toString(36), name: 'n'.repeat(50) }), `burst-${at}`);
      return sendBody(door.url, body, { agent, headers: { authorization, 'content-type': 'application/json' } });
    }),
  );
  agent.destroy();
  assert.deepEqual(new Set(statuses), new Set([204]));
  const peakMb = peakRssMb(door.pid);
  assert.ok(peakMb > 0 && peakMb < 300, `${peakMb} MB`);
  await door.stop();
});

function sendBody(url: string, body: string, options: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ...options }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
