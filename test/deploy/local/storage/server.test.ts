import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ApiError, Storage } from '@google-cloud/storage';
import { openStorageServer } from '../../../../deploy/local/storage/server.ts';

/** The official client, unmodified. */
async function open(t: TestContext, options: { dir?: string } = {}) {
  const server = await openStorageServer(options);
  t.after(() => server.close());
  return { server, storage: clientOf(server.url) };
}

function clientOf(url: string): Storage {
  return new Storage({ apiEndpoint: url, projectId: 'local', retryOptions: { autoRetry: false } });
}

function isStatus(code: number): (error: unknown) => boolean {
  return (error) => error instanceof ApiError && error.code === code;
}

test('the official client makes a bucket once, finds it, and deletes it when it is empty', async (t) => {
  const { storage } = await open(t);
  await storage.createBucket('penstock');
  await assert.rejects(storage.createBucket('penstock'), isStatus(409));
  await assert.rejects(storage.createBucket('NO'), isStatus(400));
  assert.deepEqual(
    (await storage.getBuckets())[0].map(({ name }) => name),
    ['penstock'],
  );
  assert.deepEqual(await storage.bucket('penstock').exists(), [true]);
  assert.deepEqual(await storage.bucket('other').exists(), [false]);
  await storage.bucket('penstock').file('a').save('x');
  await assert.rejects(storage.bucket('penstock').delete(), isStatus(409));
  await storage.bucket('penstock').file('a').delete();
  await storage.bucket('penstock').delete();
  await assert.rejects(storage.bucket('penstock').file('a').save('x', { resumable: false }), isStatus(404));
});

for (const resumable of [false, true]) {
  test(`the official client writes and reads bytes, ${resumable ? 'resumable' : 'in one request'}`, async (t) => {
    const { storage } = await open(t);
    const [bucket] = await storage.createBucket('penstock');
    const bytes = randomBytes(3_000_000);
    const file = bucket.file('épochs/1/a b.tfrecord');
    await file.save(bytes, { resumable, validation: 'crc32c', metadata: { contentType: 'x/y', metadata: { k: 'v' } } });
    assert.ok((await file.download())[0].equals(bytes));
    assert.ok((await file.download({ start: 10, end: 19 }))[0].equals(bytes.subarray(10, 20)));
    const [described] = await file.getMetadata();
    assert.equal(described.md5Hash, createHash('md5').update(bytes).digest('base64'));
    assert.deepEqual([described.size, described.contentType, described.metadata], ['3000000', 'x/y', { k: 'v' }]);
  });
}

test('the official client lists by prefix, delimiter and pages', async (t) => {
  const { storage } = await open(t);
  const [bucket] = await storage.createBucket('penstock');
  for (const name of ['e1/a', 'e1/b/1', 'e1/b/2', 'e1/c', 'e2/a'])
    await bucket.file(name).save(name, { resumable: false });
  const names = async (query: object): Promise<string[]> => (await bucket.getFiles(query))[0].map(({ name }) => name);
  assert.deepEqual(await names({}), ['e1/a', 'e1/b/1', 'e1/b/2', 'e1/c', 'e2/a']);
  assert.deepEqual(await names({ prefix: 'e1/b' }), ['e1/b/1', 'e1/b/2']);
  const [page, next] = await bucket.getFiles({ prefix: 'e1/', maxResults: 3, autoPaginate: false });
  assert.deepEqual(
    page.map(({ name }) => name),
    ['e1/a', 'e1/b/1', 'e1/b/2'],
  );
  assert.deepEqual(await names({ ...next }), ['e1/c']);
  const [files, , answer] = await bucket.getFiles({ prefix: 'e1/', delimiter: '/' });
  assert.deepEqual(
    files.map(({ name }) => name),
    ['e1/a', 'e1/c'],
  );
  assert.match(JSON.stringify(answer), /"prefixes":\["e1\/b\/"\]/);
});

test('a precondition on the generation lets one of two writers write', async (t) => {
  const { storage } = await open(t);
  const [bucket] = await storage.createBucket('penstock');
  const write = (text: string, ifGenerationMatch?: number | string) =>
    bucket.file('once').save(text, {
      resumable: false,
      ...(ifGenerationMatch !== undefined && { preconditionOpts: { ifGenerationMatch } }),
    });
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((text) => write(text, 0)));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(isStatus(412)(outcome.reason));
  const [{ generation }] = await bucket.file('once').getMetadata();
  await write('d', generation);
  await assert.rejects(write('e', generation), isStatus(412));
  const [text] = await bucket.file('once').download();
  assert.equal(text.toString(), 'd');
});

test('bytes of another MD5 than the upload says are refused', async (t) => {
  const { server, storage } = await open(t);
  await storage.createBucket('penstock');
  const described = JSON.stringify({ name: 'a', md5Hash: createHash('md5').update('other').digest('base64') });
  const answer = await fetch(`${server.url}/upload/storage/v1/b/penstock/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary=b' },
    body: `--b\r\n\r\n${described}\r\n--b\r\n\r\nbytes\r\n--b--\r\n`,
  });
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /doesn't match calculated MD5/);
  assert.deepEqual(await storage.bucket('penstock').file('a').exists(), [false]);
});

test('objects and generations outlive a restart', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'storage-'));
  t.after(() => rm(dir, { recursive: true }));
  const before = await openStorageServer({ dir });
  const [bucket] = await clientOf(before.url).createBucket('penstock');
  await bucket.file('kept').save('kept\nbytes', { resumable: false });
  await bucket.file('gone').save('x', { resumable: false });
  await bucket.file('gone').delete();
  const [{ generation }] = await bucket.file('kept').getMetadata();
  await before.close();
  const { storage } = await open(t, { dir });
  const again = storage.bucket('penstock');
  assert.equal((await again.file('kept').download())[0].toString(), 'kept\nbytes');
  assert.equal((await again.file('kept').getMetadata())[0].generation, generation);
  assert.deepEqual(
    (await again.getFiles())[0].map(({ name }) => name),
    ['kept'],
  );
});
