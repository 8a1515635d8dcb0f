import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { getRequestListener } from '@hono/node-server';
import { localAccess, tokenAccess } from '../../../functions/dashboard/access.ts';
import { loadAssets } from '../../../functions/dashboard/assets.ts';
import { type DashboardDependencies, dashboardApp } from '../../../functions/dashboard/handler.ts';
import { viewEpoch } from '../../../functions/dashboard/view/epoch-view.ts';
import { viewOverview } from '../../../functions/dashboard/view/overview.ts';
import type { Overview } from '../../../functions/dashboard/view/view-model.ts';
import { ForbiddenError, UnauthenticatedError } from '../../../shared/adapters/identity/verify-token.ts';
import { noLog } from '../../../shared/base/log.ts';
import { serviceAsker } from '../../../shared/model/access/asker.ts';
import { exampleDeclaration, kafka } from './example-declaration.ts';
import {
  deadLetter,
  epochRow,
  kafkaSource,
  NOW,
  rotatedSecret,
  rotationRecord,
  shardRows,
  sourcesOf,
  trainer,
} from './example-sources.ts';

const declaration = {
  ...exampleDeclaration({ flights: kafka('flights') }),
  secrets: { spare: rotatedSecret('spare') },
};
const deadLetters = [deadLetter('a', 3_000), deadLetter('b', 1_000)];
const shown = viewOverview(
  sourcesOf(declaration, {
    pipelines: new Map([['flights', kafkaSource([{ commits: [[0, 40]] }], { deadLetters })]]),
    epochs: [epochRow('e1', 60_000)],
    shards: shardRows('done', 'reading'),
    trainer: trainer(),
    secrets: new Map([['spare', { rotations: [rotationRecord(60_000)], users: [] }]]),
  }),
);
let overview: () => Promise<Overview> = async () => shown;
let access: DashboardDependencies['access'] = localAccess();
const admit: DashboardDependencies['admit'] = () => undefined;
const server = createServer();
let port = 0;

before(async () => {
  const app = dashboardApp({
    access: (visitor) => access(visitor),
    admit: (visitor) => admit(visitor),
    approval: async () => undefined,
    mayDecide: () => false,
    decide: async () => undefined,
    overview: () => overview(),
    epoch: async (id) =>
      id === 'older' ? viewEpoch(epochRow('older', 90_000), shardRows('done'), { declaration, nowMs: NOW }) : undefined,
    assets: loadAssets(),
    base: '',
    refused: { page: () => false, login: () => false },
    log: noLog,
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  server.on('request', (request, response) => void listener(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  port = address.port;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const sent = httpRequest({ host: '127.0.0.1', port, path, headers, method, agent: false }).end();
  const [response] = await once(sent, 'response');
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) };
}

const json = (answer: Answer): Record<string, unknown> => JSON.parse(answer.body.toString());

test('the page answers with a strict content policy and no inline script or style', async () => {
  const answer = await get('/');
  assert.equal(answer.status, 200);
  const policy = String(answer.headers['content-security-policy']);
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /require-trusted-types-for 'script'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.equal(answer.headers['cache-control'], 'private, no-cache');
  assert.doesNotMatch(answer.body.toString(), /<script(?![^>]*\ssrc=)|<style|\sstyle=/);
});

test('no other page may frame the page, open it or read its answers', async () => {
  for (const path of ['/', '/api/overview', '/assets/page.css', '/nowhere']) {
    const { headers } = await get(path);
    assert.match(String(headers['content-security-policy']), /(^|; )frame-ancestors 'none'(;|$)/, path);
    assert.equal(headers['x-frame-options'], 'DENY', path);
    assert.equal(headers['referrer-policy'], 'no-referrer', path);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin', path);
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin', path);
    assert.equal(headers['access-control-allow-origin'], undefined, path);
  }
});

test('the first load is under 40 KB compressed, with everything it needs', async () => {
  const page = await get('/', { 'accept-encoding': 'br' });
  const paths = [
    ...brotliDecompressSync(page.body)
      .toString()
      .matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g),
  ].map(([, path]) => path ?? '');
  assert.equal(paths.length, 4);
  const files = await Promise.all(paths.map((path) => get(path, { 'accept-encoding': 'br' })));
  const bytes = [page, ...files].reduce((sum, { body }) => sum + body.length, 0);
  assert.ok(bytes < 40_000, `${bytes} bytes`);
  for (const { status, headers } of files) {
    assert.equal(status, 200);
    assert.match(String(headers['cache-control']), /immutable/);
  }
  const gzipped = await get('/', { 'accept-encoding': 'gzip, br;q=0' });
  assert.equal(gzipped.headers['content-encoding'], 'gzip');
  assert.match(gunzipSync(gzipped.body).toString(), /<h1>/);
});

test('the page answers 304 while only its time of day has changed', async () => {
  const first = await get('/');
  const tag = String(first.headers.etag);
  overview = async () => ({ ...shown, asOf: '2026-11-21T06:28:31.000Z' });
  const second = await get('/', { 'if-none-match': tag });
  assert.deepEqual([second.status, second.body.length], [304, 0]);
  assert.equal(second.headers['penstock-as-of'], '2026-11-21T06:28:31.000Z');
  assert.equal((await get('/', { 'if-none-match': tag, 'sec-fetch-mode': 'navigate' })).status, 200);
  overview = async () => ({ ...shown, needs: [] });
  assert.equal((await get('/', { 'if-none-match': tag })).status, 200);
  overview = async () => shown;
  assert.equal((await get('/?q=x', { 'if-none-match': tag })).status, 200);
});

test('the API answers the same content as JSON', async () => {
  assert.deepEqual(json(await get('/api/overview')), JSON.parse(JSON.stringify(shown)));
  assert.deepEqual(Object.keys(json(await get('/api/pipelines'))), ['asOf', 'pipelines']);
  assert.match((await get('/api/secrets')).body.toString(), /"name":"spare".*"current":2,.*"result":"rotated"/);
  assert.deepEqual(Object.keys(json(await get('/api/epochs'))), ['asOf', 'epochs']);
  const deeds = await get('/api/audit');
  assert.deepEqual(Object.keys(json(deeds)), ['asOf', 'newest', 'isMore']);
  assert.match(deeds.body.toString(), /"did":"rotated","what":"Secret\/spare"/);
  assert.equal((await get('/api/audit', { 'if-none-match': String(deeds.headers.etag) })).status, 304);
  const letters = await get('/api/dead-letters?pipeline=flights&id=b');
  assert.deepEqual(json(letters).newest, JSON.parse(JSON.stringify([shown.deadLetters.newest[0]])));
  const again = await get('/api/overview', { 'if-none-match': String((await get('/api/overview')).headers.etag) });
  assert.equal(again.status, 304);
});

test('the API shows an epoch by its id, the newest with its model, and 404 for what does not exist', async () => {
  const newest = json(await get('/api/epochs/e1'));
  assert.deepEqual(Object.keys(newest), ['asOf', 'epoch', 'model']);
  assert.notEqual(newest.model, null);
  assert.equal(json(await get('/api/epochs/older')).model, null);
  const missing = await get('/api/epochs/none%22%3E');
  assert.equal(missing.status, 404);
  assert.equal(missing.headers['content-type'], 'application/problem+json; charset=utf-8');
  assert.equal((await get(`/api/epochs/${'x'.repeat(200)}`)).status, 404);
  for (const path of ['/api/other', '/other', '/assets/../handler.ts', '/assets/handler.ts']) {
    assert.equal((await get(path)).status, 404, path);
  }
});

test('only GET and HEAD are answered', async () => {
  const head = await get('/', {}, 'HEAD');
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await get('/', {}, method);
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD'], method);
  }
});

test('an open page refuses another host name, which would be DNS rebinding', async () => {
  for (const host of [
    'attacker.example',
    `attacker.example:${port}`,
    '127.0.0.1.attacker.example',
    'localhost.attacker.example',
  ]) {
    assert.equal((await get('/', { host })).status, 403, host);
    assert.equal((await get('/api/overview', { host })).status, 403, host);
  }
  for (const host of ['localhost', `127.0.0.1:${port}`, '[::1]:80'])
    assert.equal((await get('/', { host })).status, 200, host);
});

test('a closed page asks for a token on every path, as a problem where a program asks', async () => {
  access = tokenAccess(async (authorization) => {
    if (authorization === 'Bearer other') throw new ForbiddenError({ name: 'other@demo', issuer: 'test' });
    if (authorization !== 'Bearer good')
      throw new UnauthenticatedError('no bearer token', 'The request carries no bearer token');
    return serviceAsker('good@demo.iam.gserviceaccount.com');
  });
  const page = await get('/');
  assert.deepEqual([page.status, page.headers['www-authenticate']], [401, 'Bearer']);
  assert.match(String(page.headers['content-type']), /text\/html/);
  const api = await get('/api/overview');
  assert.equal(api.status, 401);
  assert.equal(json(api).status, 401);
  assert.equal((await get('/assets/page.css')).status, 401);
  assert.equal((await get('/', { authorization: 'Bearer other' })).status, 403);
  assert.equal((await get('/', { authorization: 'Bearer good' })).status, 200);
  access = async () => {
    throw new Error('The issuer is down');
  };
  const undecided = await get('/');
  assert.equal(undecided.status, 503);
  assert.doesNotMatch(undecided.body.toString(), /issuer is down/);
  access = localAccess();
});

test('a Spanner that cannot be read answers 503 with what to do, and says nothing more', async () => {
  const fails = (error: unknown) => async () => {
    throw error;
  };
  overview = fails(Object.assign(new Error('Table not found: PenstockCheckpoints'), { code: 5 }));
  const missing = await get('/');
  assert.deepEqual([missing.status, missing.headers['retry-after']], [503, '5']);
  assert.match(missing.body.toString(), /npx penstock migrate/);
  overview = fails(Object.assign(new Error('14 UNAVAILABLE: secret detail'), { code: 14 }));
  const down = await get('/api/overview');
  assert.equal(down.status, 503);
  assert.doesNotMatch(down.body.toString(), /secret detail/);
  overview = fails(new TypeError('a mistake of ours'));
  assert.doesNotMatch((await get('/')).body.toString(), /a mistake of ours/);
  overview = async () => shown;
});
