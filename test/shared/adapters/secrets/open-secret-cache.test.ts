import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, before, beforeEach, suite, test } from 'node:test';
import { openSecretCache, type SecretCache } from '../../../../shared/adapters/secrets/open-secret-cache.ts';
import { SecretError } from '../../../../shared/adapters/secrets/secret-error.ts';
import { ConfigError } from '../../../../shared/base/errors.ts';
import type { Severity } from '../../../../shared/base/log.ts';
import { openSecretServer, PROJECT, type SecretServer } from './secret-server.ts';

const MINUTE_MS = 60_000;
const TTL_MS = 5 * MINUTE_MS;
const STALE_MS = 60 * MINUTE_MS;
const DEADLINE_MS = 1_000;

suite('openSecretCache()', () => {
  let server: SecretServer;
  let cache: SecretCache;
  let now: number;
  let random: number;
  let logged: { severity: Severity; fields: Readonly<Record<string, unknown>> | undefined }[];

  const text = async (secret = 'kafka', options: { fresh?: boolean } = {}): Promise<string> =>
    (await cache.read(secret, options)).text();
  const failsWith = (code: string, read: Promise<unknown>): Promise<void> =>
    assert.rejects(read, (error) => {
      assert.ok(error instanceof SecretError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, /projects\/laptop\/secrets\/kafka/);
      return true;
    });

  // Loading the client takes longer than the deadline of these tests where the machine is busy.
  before(() => import('@google-cloud/secret-manager'));
  beforeEach(async () => {
    server = await openSecretServer();
    server.rotate('kafka', 'value-1');
    now = 1_000_000;
    random = 0.5;
    logged = [];
    cache = openSecretCache({
      projectId: PROJECT,
      clock: () => now,
      random: () => random,
      log: (severity, _, fields) => logged.push({ severity, fields }),
      deadlineMs: DEADLINE_MS,
    });
  });
  afterEach(async () => {
    await cache.close();
    await server.close();
  });

  test('reads the version that current names, by short and by full name, never the latest', async () => {
    server.rotate('kafka', 'value-2');
    server.point('kafka', 1);
    const value = await cache.read('kafka');
    assert.deepEqual([value.text(), value.version], ['value-1', '1']);
    assert.equal(await cache.read(`projects/${PROJECT}/secrets/kafka`), value);
    assert.equal(server.accessCount, 1);
    for (const bad of ['', 'a/b', `projects/${PROJECT}/secrets/kafka/versions/latest`, 'latest:kafka', '../x']) {
      await assert.rejects(cache.read(bad), ConfigError, bad);
    }
  });

  test('answers all readers of one moment by one request', async () => {
    const values = await Promise.all(Array.from({ length: 100 }, () => cache.read('kafka')));
    assert.equal(new Set(values).size, 1);
    assert.equal(server.accessCount, 1);
    now += 2 * TTL_MS;
    await Promise.all(Array.from({ length: 100 }, (_, n) => cache.read('kafka', { fresh: n % 2 === 0 })));
    assert.equal(server.accessCount, 2);
  });

  test('follows a moved alias after the time to live, give or take a tenth, and not before', async () => {
    for (const [jitter, livesMs] of [
      [0, TTL_MS * 0.9],
      [0.5, TTL_MS],
      [1, TTL_MS * 1.1],
    ] as const) {
      random = jitter;
      const before = await text('kafka', { fresh: true });
      const at = now;
      server.rotate('kafka', `${before}+`);
      now = at + livesMs - 1;
      assert.equal(await text(), before);
      now = at + livesMs;
      assert.equal(await text(), `${before}+`);
      now += TTL_MS;
    }
    assert.deepEqual(logged.at(-1), {
      severity: 'NOTICE',
      fields: { secret: `projects/${PROJECT}/secrets/kafka`, version: '4', before: '3' },
    });
  });

  test('follows a moved alias at once when its value was refused, and asks at most once in 3 seconds', async () => {
    assert.equal(await text(), 'value-1');
    server.rotate('kafka', 'value-2');
    now += 2_999;
    assert.equal(await text('kafka', { fresh: true }), 'value-1');
    now += 1;
    assert.equal(await text('kafka', { fresh: true }), 'value-2');
    server.rotate('kafka', 'value-3');
    for (let n = 0; n < 10; n++) assert.equal(await text('kafka', { fresh: true }), 'value-2');
    assert.equal(server.accessCount, 2);
    now += 3_000;
    assert.equal(await text('kafka', { fresh: true }), 'value-3');
  });

  test('keeps the same value, and its users, when the alias has not moved', async () => {
    const value = await cache.read('kafka');
    now += 2 * TTL_MS;
    assert.equal(await cache.read('kafka'), value);
    assert.equal(server.accessCount, 2);
    assert.equal(value.text(), 'value-1');
  });

  test('lets nobody use a value that was replaced', async () => {
    const value = await cache.read('kafka');
    server.rotate('kafka', 'value-2');
    now += 2 * TTL_MS;
    await cache.read('kafka');
    for (const use of [() => value.text(), () => value.bytes()]) {
      assert.throws(use, { code: 'SECRET_OUTDATED', retryable: true });
    }
  });

  test('bridges an outage with the value that it has, asks again after 10 seconds, and says so', async () => {
    await text();
    await server.stop();
    now += 2 * TTL_MS;
    assert.equal(await text(), 'value-1');
    assert.equal(logged.at(-1)?.severity, 'WARNING');
    const warnings = logged.length;
    now += 9_999;
    assert.equal(await text(), 'value-1');
    assert.equal(logged.length, warnings);
    await server.start();
    server.rotate('kafka', 'value-2');
    now += 1;
    // The channel may still wait to connect; it is asked again each 10 seconds.
    for (let tries = 0; tries < 50 && (await text()) === 'value-1'; tries++) {
      now += 10_000;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(await text(), 'value-2');
  });

  test('bridges a silent server within the deadline, and damaged or unsummed answers', async () => {
    await text();
    server.rotate('kafka', 'value-2');
    for (const mood of ['silent', 'damaged', 'unsummed'] as const) {
      server.mood = mood;
      now += 2 * TTL_MS;
      const from = performance.now();
      assert.equal(await text(), 'value-1', mood);
      assert.ok(performance.now() - from < 100 * DEADLINE_MS);
    }
    server.mood = 'serve';
    now += 2 * TTL_MS;
    assert.equal(await text(), 'value-2');
  });

  test('serves a value no longer than the bound, and zeroes it then', async () => {
    const value = await cache.read('kafka');
    server.mood = 'damaged';
    now += STALE_MS - 1;
    assert.equal(await text(), 'value-1');
    now += 10_000;
    await failsWith('SECRET_UNAVAILABLE', cache.read('kafka'));
    assert.throws(() => value.text(), { code: 'SECRET_OUTDATED' });
    server.mood = 'serve';
    now += 1_000;
    assert.equal(await text(), 'value-1');
  });

  test('fails clearly where there is nothing to bridge with, and asks at most once a second', async () => {
    server.mood = 'damaged';
    await failsWith('SECRET_UNAVAILABLE', cache.read('kafka'));
    const asked = server.accessCount;
    now += 999;
    await failsWith('SECRET_UNAVAILABLE', cache.read('kafka'));
    assert.equal(server.accessCount, asked);
    server.mood = 'serve';
    now += 1;
    assert.equal(await text(), 'value-1');
  });

  test('does not bridge a refusal: a disabled version, a secret or an alias that is gone', async () => {
    const value = await cache.read('kafka');
    server.setState('kafka', 1, 'DISABLED');
    now += 2 * TTL_MS;
    await failsWith('SECRET_REFUSED', cache.read('kafka'));
    assert.throws(() => value.text(), { code: 'SECRET_OUTDATED' });
    server.setState('kafka', 1, 'ENABLED');
    now += 1_000;
    assert.equal(await text(), 'value-1');
    await assert.rejects(cache.read('missing'), { code: 'SECRET_REFUSED', retryable: false });
  });

  test('repeats a first read within its deadline while the server starts', async () => {
    await cache.close();
    await server.stop();
    cache = openSecretCache({ projectId: PROJECT, deadlineMs: 10_000 });
    // A first connection finds a port where nobody speaks gRPC yet.
    const closed = createServer((socket) => socket.destroy()).listen(server.port, '127.0.0.1');
    const read = text();
    await once(closed, 'connection');
    closed.close();
    await once(closed, 'close');
    await server.start();
    assert.equal(await read, 'value-1');
  });

  test('zeroes what it holds when it is closed, and reads no more', async () => {
    const value = await cache.read('kafka');
    await cache.close();
    assert.throws(() => value.text(), { code: 'SECRET_OUTDATED' });
    await failsWith('SECRET_UNAVAILABLE', cache.read('kafka'));
  });
});
