import assert from 'node:assert/strict';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { peakRssMb } from '../chaos/peak-rss.ts';
import type { Door } from './doors-rig.ts';
import {
  doorNames,
  doorsStage,
  isProblem,
  leaks,
  postedDoors,
  push,
  rotationPush,
  type Sent,
  subscriptions,
  tickedDoors,
} from './doors-stage.ts';
import { rawRequest } from './raw-request.ts';

const MIB = 1024 * 1024;

const stage = doorsStage();
const { bearer, doorOf, nothingWasDone, post, stillServes } = stage;

for (const name of postedDoors) {
  test(`${name} answers what is no JSON of its own with a problem`, async () => {
    const door = doorOf(name);
    const bad: Record<string, readonly [status: number, Sent]> = {
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
    if (!tickedDoors.includes(name)) await isProblem(await post(door, { body: '' }), 400, 'empty body');
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
  for (const name of doorNames) {
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
  for (const name of postedDoors) {
    const door = doorOf(name);
    const good =
      name === 'rotate-secrets'
        ? rotationPush('penstock-rotations', 'door-key')
        : push(subscriptions[name] ?? 'airports', '{"iata":"ORD","name":"x"}');
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
  for (const name of doorNames) {
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
  for (const name of doorNames) {
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

test('rotate-secrets rotates what the request names and nothing else, however it is asked', async () => {
  const rotate = doorOf('rotate-secrets');
  const named = (secret: unknown, more: object = {}) => JSON.stringify({ secret, ...more });
  const headers = { 'idempotency-key': 'k' };
  for (const secret of ['none', '__proto__', 'constructor', '../door-key', 'Door-key', ' door-key', '']) {
    await isProblem(await post(rotate, { headers, body: named(secret) }), 404, secret);
  }
  for (const secret of [7, true, ['door-key'], null, { toString: 'door-key' }]) {
    await isProblem(await post(rotate, { headers, body: named(secret) }), 400, JSON.stringify(secret));
  }
  await isProblem(await post(rotate, { body: named('door-key') }), 400, 'no Idempotency-Key');
  // A rotation forward in answer to these would be a surprise.
  for (const more of [{ back: true }, { kind: 'back' }, { now: true }, { feed: 'names' }]) {
    await isProblem(await post(rotate, { headers, body: named('door-key', more) }), 400, JSON.stringify(more));
  }
  await isProblem(await post(rotate, { body: '{"secrets":"door-key"}' }), 400, 'a misspelt name');
  for (const subscription of ['airports', 'penstock-shards', '../subscriptions/penstock-rotations']) {
    await isProblem(await post(rotate, { body: rotationPush(subscription, 'door-key') }), 403, subscription);
  }
  const unnamed = JSON.stringify({ ...JSON.parse(rotationPush('x', 'door-key')), subscription: undefined });
  await isProblem(await post(rotate, { body: unnamed }), 400, 'no subscription');
  for (const secret of ['none', '../door-key', 'x/secrets/door-key', 'door-key/versions/1']) {
    const answer = await post(rotate, { body: rotationPush('penstock-rotations', secret) });
    assert.ok([200, 400].includes(answer.status), secret);
  }
  await nothingWasDone();
  for (const body of ['', '{}']) {
    const tick = await post(rotate, { body });
    assert.deepEqual(await tick.json(), { secrets: [{ secret: 'door-key', rotations: [] }] });
  }
  await nothingWasDone();
});

test('a thousand announcements of rotations at once make one rotation', async () => {
  const rotate = doorOf('rotate-secrets');
  const authorization = await bearer(rotate);
  const announced = (at: number) => rotationPush('penstock-rotations', 'door-key', new Date(at).toISOString());
  const start = Date.UTC(2026, 11, 1);
  const outcomes = new Map<string, number>();
  for (let from = 0; from < 1_000; from += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const answer = await post(rotate, { headers: { authorization }, body: announced(start + (from + at) * 1000) });
        const { step = answer.status } = Object(await answer.json());
        outcomes.set(String(step), (outcomes.get(String(step)) ?? 0) + 1);
      }),
    );
  }
  const [rows] = await stage.rig.database.run({
    sql: "SELECT COUNT(*) AS Made FROM PenstockRotations WHERE ToVersion IS NOT NULL AND Step != 'skipped'",
    json: true,
  });
  assert.equal(Number(Object(rows[0]).Made), 1, JSON.stringify([...outcomes]));
  await stillServes('rotate-secrets');
});
