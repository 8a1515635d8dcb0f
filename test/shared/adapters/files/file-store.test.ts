import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Storage } from '@google-cloud/storage';
import { openStorageServer } from '../../../../deploy/local/storage/server.ts';
import { cloudFileStore } from '../../../../shared/adapters/files/cloud-file-store.ts';
import type { FileStore } from '../../../../shared/adapters/files/file-store.ts';
import { localFileStore } from '../../../../shared/adapters/files/local-file-store.ts';

const { signal } = new AbortController();
const access = async () => ({ value: 'token' });

async function openLocal(t: TestContext): Promise<FileStore> {
  const dir = await mkdtemp(join(tmpdir(), 'files-'));
  t.after(() => rm(dir, { recursive: true }));
  return localFileStore(join(dir, 'not', 'there', 'yet'));
}

async function openCloud(t: TestContext): Promise<FileStore> {
  const server = await openStorageServer();
  t.after(() => server.close());
  await new Storage({ apiEndpoint: server.url, projectId: 'local' }).createBucket('penstock');
  const env = { STORAGE_EMULATOR_HOST: server.url };
  return cloudFileStore({ bucket: 'penstock', prefix: 'feeds/x', access, env, signal });
}

for (const [kind, open] of [
  ['localFileStore()', openLocal],
  ['cloudFileStore()', openCloud],
] as const) {
  test(`${kind} writes a file once, knows it again, and refuses other bytes under its name`, async (t) => {
    const store = await open(t);
    assert.equal(await store.read('e1/a'), undefined);
    assert.equal(await store.create('e1/a', Buffer.from('one')), 'created');
    assert.equal(await store.create('e1/a', Buffer.from('one')), 'same');
    await assert.rejects(store.create('e1/a', Buffer.from('two')), { code: 'FILES_DIFFER', retryable: false });
    assert.equal((await store.read('e1/a'))?.toString(), 'one');
    const many = Array.from({ length: 12 }, () => store.create('e1/b', Buffer.from('same')));
    assert.equal((await Promise.all(many)).filter((outcome) => outcome === 'created').length, 1);
  });

  test(`${kind} lists what begins so, by name, with sizes and digests`, async (t) => {
    const store = await open(t);
    for (const name of ['e1/train/00001-2', 'e1/train/00001-1', 'e1/train/00010-1', 'e2/train/00001-1']) {
      await store.create(name, Buffer.from(name));
    }
    const listed = await store.list('e1/train/00001-');
    assert.deepEqual(
      listed.map(({ name, bytes }) => [name, bytes]),
      [
        ['e1/train/00001-1', 16],
        ['e1/train/00001-2', 16],
      ],
    );
    assert.match(listed[0]?.sha256 ?? '', /^[0-9a-f]{64}$/);
    assert.deepEqual(await store.list('e3/'), []);
  });
}

test('localFileStore() leaves nothing half-written under a name, and does not list what a crash left', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'files-'));
  t.after(() => rm(dir, { recursive: true }));
  const store = localFileStore(dir);
  await store.create('e1/a', Buffer.from('a'));
  await writeFile(join(dir, 'e1', '.unfinished-x'), 'torn');
  assert.deepEqual(
    (await store.list('e1/')).map(({ name }) => name),
    ['e1/a'],
  );
  assert.deepEqual((await readdir(join(dir, 'e1'))).sort(), ['.unfinished-x', 'a']);
});

/** Cloud Storage whose answers the test scripts. */
async function scripted(t: TestContext, listener: RequestListener): Promise<FileStore> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => listener(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const env = { STORAGE_EMULATOR_HOST: `127.0.0.1:${address.port}` };
  return cloudFileStore({ bucket: 'b', prefix: '', access, env, signal });
}

test('cloudFileStore() asks again after 503 and a cut connection, and knows its own upload that was taken unanswered', async (t) => {
  let count = 0;
  let sha256 = '';
  const store = await scripted(t, (request, response) => {
    count += 1;
    if (count === 1) response.writeHead(503).end();
    else if (count === 2) request.socket.destroy();
    else if (request.method === 'POST') response.writeHead(412).end('{}');
    else response.end(JSON.stringify({ name: 'a', size: '3', metadata: { 'penstock-sha256': sha256 } }));
  });
  sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  assert.equal(await store.create('a', Buffer.from('abc')), 'same');
  assert.equal(count, 4);
});

test('cloudFileStore() says what is missing: the bucket, the grant', async (t) => {
  const missing = await scripted(t, (_, response) => response.writeHead(404).end('{}'));
  await assert.rejects(missing.create('a', Buffer.from('x')), { code: 'STORAGE_REFUSED', message: /no bucket b/ });
  const forbidden = await scripted(t, (_, response) =>
    response.writeHead(403).end('{"error":"storage.objects.create"}'),
  );
  await assert.rejects(forbidden.create('a', Buffer.from('x')), { code: 'STORAGE_REFUSED', retryable: true });
});
