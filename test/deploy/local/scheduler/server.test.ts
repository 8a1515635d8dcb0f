import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { backoffMs } from '../../../../deploy/local/scheduler/call-job.ts';
import { openScheduler, type Scheduler } from '../../../../deploy/local/scheduler/server.ts';

const START_MS = Date.parse('2026-11-21T07:00:00Z');
const noToken = async (): Promise<string> => 'none';

interface Call {
  readonly request: IncomingMessage;
  readonly body: string;
  answer(status: number): void;
}

interface Target {
  readonly url: string;
  next(): Promise<Call>;
  waiting(): number;
}

async function withTarget(use: (target: Target) => Promise<void>): Promise<void> {
  const calls: Call[] = [];
  const wakes: (() => void)[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    calls.push({ request, body, answer: (status) => response.writeHead(status).end() });
    wakes.shift()?.();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await use({
      url: `http://127.0.0.1:${port}/plan-epoch`,
      waiting: () => calls.length,
      async next() {
        if (calls.length === 0) await new Promise<void>((resolve) => wakes.push(resolve));
        const call = calls.shift();
        assert.ok(call);
        return call;
      },
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function withScheduler(
  options: Parameters<typeof openScheduler>[0],
  use: (scheduler: Scheduler) => Promise<void>,
): Promise<void> {
  const scheduler = openScheduler(options);
  try {
    await use(scheduler);
  } finally {
    await scheduler.close();
  }
}

const scheduleTime = (call: Call): unknown => call.request.headers['x-cloudscheduler-scheduletime'];

test('a job calls its function at the tick, with a verifiable token and the headers of Cloud Scheduler', async () => {
  const identity = await openIdentityServer();
  let nowMs = START_MS;
  try {
    await withTarget((target) =>
      withScheduler({ now: () => nowMs, mintIdToken: identity.mintIdToken }, async (scheduler) => {
        scheduler.create({
          name: 'plan-delays',
          schedule: 'every 24h',
          http: {
            url: target.url,
            method: 'POST',
            body: '{"feed":"delays"}',
            headers: { 'content-type': 'application/json' },
          },
          oidc: { serviceAccount: 'scheduler@laptop.iam.gserviceaccount.com', audience: target.url },
        });
        nowMs += 24 * 3_600_000;
        const call = await target.next();
        const { headers } = call.request;
        assert.equal(call.request.method, 'POST');
        assert.equal(call.body, '{"feed":"delays"}');
        assert.equal(headers['content-type'], 'application/json');
        assert.equal(headers['x-cloudscheduler'], 'true');
        assert.equal(headers['x-cloudscheduler-jobname'], 'plan-delays');
        assert.equal(headers['x-cloudscheduler-scheduletime'], '2026-11-22T07:00:00Z');
        const keys = createRemoteJWKSet(new URL(`${identity.issuer}/jwks`));
        const token = headers.authorization?.replace('Bearer ', '') ?? '';
        const { payload } = await jwtVerify(token, keys, { issuer: identity.issuer, audience: target.url });
        assert.equal(payload.email, 'scheduler@laptop.iam.gserviceaccount.com');
        call.answer(200);
      }),
    );
  } finally {
    await identity.close();
  }
});

test('a failed call is retried with growing waits and the same tick, and ends with the last status', () => {
  let nowMs = START_MS;
  return withTarget((target) =>
    withScheduler({ now: () => nowMs, mintIdToken: noToken }, async (scheduler) => {
      const http = { url: target.url, method: 'POST' } as const;
      scheduler.create({ name: 'job', schedule: 'every 1h', http, retry: { retryCount: 2, minBackoffMs: 1000 } });
      const result = scheduler.run('job');
      const waits: number[] = [];
      for (const status of [500, 302, 404]) {
        const fromMs = nowMs;
        for (; target.waiting() === 0; nowMs += 100) await new Promise((resolve) => setTimeout(resolve, 12));
        waits.push(nowMs - fromMs);
        const call = await target.next();
        assert.equal(scheduleTime(call), '2026-11-21T07:00:00Z');
        call.answer(status);
      }
      assert.ok(waits[1] !== undefined && waits[1] >= 1000, `first retry after ${waits[1]} ms`);
      assert.ok(waits[2] !== undefined && waits[2] >= 2000, `second retry after ${waits[2]} ms`);
      assert.deepEqual(await result, { status: 404, attempts: 3 });
      assert.equal(scheduler.list()[0]?.lastStatus, 404);
    }),
  );
});

test('backoffMs() doubles, then grows evenly, up to its limit', () => {
  const retry = { minBackoffMs: 10, maxBackoffMs: 300, maxDoublings: 3 };
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => backoffMs(retry, attempt)),
    [10, 20, 40, 80, 160, 240, 300, 300],
  );
});

test('a job never runs twice at once: ticks that come due meanwhile are left out', () => {
  let nowMs = START_MS;
  return withTarget((target) =>
    withScheduler({ now: () => nowMs, mintIdToken: noToken }, async (scheduler) => {
      scheduler.create({ name: 'job', schedule: 'every 30s', http: { url: target.url, method: 'GET' } });
      nowMs += 30_000;
      const slow = await target.next();
      nowMs += 95_000;
      await assert.rejects(scheduler.run('job'), /Job job is running/);
      assert.equal(target.waiting(), 0);
      slow.answer(200);
      while (!scheduler.list()[0]?.isDone) await new Promise((resolve) => setImmediate(resolve));
      nowMs = START_MS + 150_000;
      const next = await target.next();
      assert.equal(scheduleTime(next), '2026-11-21T07:02:30Z');
      next.answer(200);
    }),
  );
});

test('a run that was cut off is made again with the same tick after a restart, a finished one is not', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'scheduler-'));
  let nowMs = START_MS;
  const options = { dir, now: () => nowMs, mintIdToken: noToken };
  try {
    await withTarget(async (target) => {
      await withScheduler(options, async (scheduler) => {
        scheduler.create({ name: 'job', schedule: 'every 1h', http: { url: target.url, method: 'GET' } });
        nowMs += 3_600_000;
        assert.equal(scheduleTime(await target.next()), '2026-11-21T08:00:00Z');
      });
      nowMs += 60_000;
      await withScheduler(options, async (scheduler) => {
        const again = await target.next();
        assert.equal(scheduleTime(again), '2026-11-21T08:00:00Z');
        again.answer(200);
        while (!scheduler.list()[0]?.isDone) await new Promise((resolve) => setImmediate(resolve));
      });
      nowMs = START_MS + 2.5 * 3_600_000;
      await withScheduler(options, async (scheduler) => {
        const [state] = scheduler.list();
        assert.equal(state?.lastTickMs, START_MS + 3_600_000);
        assert.equal(state?.nextTickMs, START_MS + 3 * 3_600_000);
        nowMs = START_MS + 3 * 3_600_000;
        const next = await target.next();
        assert.equal(scheduleTime(next), '2026-11-21T10:00:00Z');
        next.answer(200);
      });
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('jobs that could never run are refused, and deleted ones stop', () => {
  let nowMs = START_MS;
  return withTarget((target) =>
    withScheduler({ now: () => nowMs, mintIdToken: noToken }, async (scheduler) => {
      const job = { name: 'job', schedule: 'every 1h', http: { url: target.url, method: 'GET' } } as const;
      assert.throws(() => scheduler.create({ ...job, schedule: 'daily' }), /neither "every 30s" nor five cron fields/);
      assert.throws(() => scheduler.create({ ...job, name: 'a/b' }), /Job name "a\/b"/);
      assert.throws(
        () => scheduler.create({ ...job, http: { url: 'ftp://x', method: 'GET' } }),
        /wanted an http or https URL/,
      );
      assert.throws(() => scheduler.create({ ...job, retry: { retryCount: 9 } }), /retryCount is 9/);
      await assert.rejects(scheduler.run('job'), /There is no job job: the jobs are none/);
      scheduler.create(job);
      scheduler.delete('job');
      scheduler.create({ ...job, name: 'other' });
      nowMs += 3_600_000;
      const call = await target.next();
      assert.equal(call.request.headers['x-cloudscheduler-jobname'], 'other');
      call.answer(200);
      assert.deepEqual(
        scheduler.list().map(({ job }) => job.name),
        ['other'],
      );
    }),
  );
});
