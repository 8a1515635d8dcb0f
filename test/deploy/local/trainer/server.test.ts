import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openTrainer, type TrainerOptions } from '../../../../deploy/local/trainer/server.ts';
import { batchBody, float32, int32, uint8 } from './batch-body.ts';
import { smallAnnouncement, smallBatch } from './small-epoch.ts';
import { contentDigest, type TrainerClient, trainerClient } from './trainer-client.ts';

async function start(t: TestContext, options: Partial<TrainerOptions> = {}) {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'trainer-')));
  const trainer = await openTrainer({ dir, ...options });
  t.after(async () => {
    await trainer.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { trainer, dir, url: trainer.url, client: trainerClient(trainer.url) };
}

async function startAnnounced(t: TestContext, options: Partial<TrainerOptions> = {}) {
  const started = await start(t, options);
  assert.equal((await started.client.announce('e1', smallAnnouncement)).status, 201);
  return started;
}

async function refused(reply: ReturnType<TrainerClient['call']>, status: number, detail: RegExp): Promise<void> {
  const { status: given, contentType, json, text } = await reply;
  assert.equal(given, status, text);
  assert.equal(contentType, 'application/problem+json');
  assert.ok(typeof json === 'object' && json !== null && 'type' in json && 'title' in json && 'status' in json, text);
  assert.match(text, detail);
}

test('PUT epoch answers 201, then 200 for the same in any key order, then 409 naming what differs', async (t) => {
  const { client } = await startAnnounced(t);
  const reordered = Object.fromEntries(Object.entries(smallAnnouncement).reverse());
  assert.equal((await client.announce('e1', reordered)).status, 200);
  await refused(client.announce('e1', { ...smallAnnouncement, seed: 8, shards: 3 }), 409, /seed, shards|shards, seed/);
  await refused(client.announce('e1', { ...smallAnnouncement, extra: 1 }), 409, /extra/);
});

test('PUT epoch names every wrong field at once', async (t) => {
  const { client } = await start(t);
  const wrong = {
    ...smallAnnouncement,
    readTimestamp: '2026-02-30T00:00:00Z',
    shards: 0,
    tensors: [{ name: 'x', dtype: 'string', shape: [2, 2] }],
  };
  const { status, detail } = await client.announce('e1', wrong);
  assert.equal(status, 422);
  for (const part of ['readTimestamp', 'shards', 'tensors.0.dtype', 'tensors.0.shape'])
    assert.ok(detail?.includes(part), detail);
  await refused(client.call('PUT', '/v1/epochs/e1', '{"feed":'), 400, /not JSON/);
  await refused(client.call('PUT', '/v1/epochs/e1', new Uint8Array([0x22, 0xff, 0x22])), 400, /not JSON in UTF-8/);
});

for (const [what, tensors, detail] of [
  [
    'two labels',
    [
      { name: 'label', dtype: 'bool', shape: [] },
      { name: 'y', dtype: 'bool', shape: [], role: 'label' },
    ],
    /one label/,
  ],
  ['no label', [{ name: 'x', dtype: 'float32', shape: [] }], /one label/],
  ['no feature', [{ name: 'label', dtype: 'bool', shape: [] }], /no feature/],
  [
    'float ids',
    [
      { name: 'label', dtype: 'bool', shape: [] },
      { name: 'x', dtype: 'float32', shape: [], categories: 3 },
    ],
    /int32 or int64/,
  ],
  [
    'a list of ids',
    [
      { name: 'label', dtype: 'bool', shape: [] },
      { name: 'x', dtype: 'int32', shape: [2], categories: 3 },
    ],
    /shape must be \[\]/,
  ],
  [
    'a name twice',
    [
      { name: 'label', dtype: 'bool', shape: [] },
      { name: 'x', dtype: 'int32', shape: [] },
      { name: 'x', dtype: 'int32', shape: [] },
    ],
    /twice/,
  ],
] as const) {
  test(`PUT epoch refuses ${what}`, async (t) => {
    const { client } = await start(t);
    await refused(client.announce('e1', { ...smallAnnouncement, tensors }), 422, detail);
  });
}

test('PUT epoch refuses a baseline that is no id tensor', async (t) => {
  const { client } = await start(t);
  await refused(client.announce('e1', { ...smallAnnouncement, baseline: 'distance' }), 422, /baseline: distance/);
  assert.equal((await client.announce('e1', { ...smallAnnouncement, baseline: 'origin' })).status, 201);
});

test('PUT batch accepts once, calls a repetition a duplicate, and refuses another body for the same sequence', async (t) => {
  const { client } = await startAnnounced(t);
  const first = await client.putBatch('e1', 0, 0, smallBatch());
  assert.deepEqual([first.status, first.json], [200, { status: 'accepted', credits: 8 }]);
  assert.deepEqual((await client.putBatch('e1', 0, 0, smallBatch())).json, { status: 'duplicate', credits: 8 });
  const other = smallBatch({ tensors: { distance: float32([9, 9, 9, 9]) } });
  await refused(client.putBatch('e1', 0, 0, other), 409, /not deterministic/);
  assert.equal((await client.show('e1')).rows, 4);
});

test('PUT batch stores one of many concurrent repetitions and calls the others duplicates', async (t) => {
  const { client } = await startAnnounced(t);
  const replies = await Promise.all(Array.from({ length: 12 }, () => client.putBatch('e1', 0, 0, smallBatch())));
  const accepted = replies.filter(({ text }) => text.includes('accepted'));
  assert.equal(accepted.length, 1);
  assert.ok(replies.every(({ status }) => status === 200));
  assert.equal((await client.show('e1')).batches, 1);
});

test('PUT batch takes sequences out of order and reports the first gap as needed next', async (t) => {
  const { client } = await startAnnounced(t);
  for (const sequence of [3, 0, 1]) await client.putBatch('e1', 0, sequence, smallBatch({ sequence }));
  const { shards } = await client.show('e1');
  assert.deepEqual(shards[0], { shard: 0, taken: 3, next: 2, rows: 12, ended: false });
  await refused(client.endShard('e1', 0, { batches: 4, rows: 16 }), 409, /3 of 4 batches; needed next: 2/);
});

for (const [what, headers, status, detail] of [
  ['no digest', { 'content-digest': '' }, 400, /Content-Digest: sha-256=:BASE64:/],
  ['a digest of another algorithm alone', { 'content-digest': 'sha-512=:AAAA:' }, 400, /Wanted is/],
  ['a digest of other bytes', { 'content-digest': contentDigest(new Uint8Array(3)) }, 400, /send them again/],
  ['JSON', { 'content-type': 'application/json' }, 415, /application\/vnd.safetensors/],
  ['a compressed body', { 'content-encoding': 'gzip' }, 415, /as it is/],
] as const) {
  test(`PUT batch refuses ${what} and stores nothing`, async (t) => {
    const { client } = await startAnnounced(t);
    await refused(client.putBatch('e1', 0, 0, smallBatch(), headers), status, detail);
    assert.equal((await client.show('e1')).batches, 0);
  });
}

test('PUT batch takes a digest beside others, and octet-stream', async (t) => {
  const { client } = await startAnnounced(t);
  const body = smallBatch();
  const headers = {
    'content-digest': `sha-512=:AAAA:, ${contentDigest(body)}`,
    'content-type': 'application/octet-stream',
  };
  assert.equal((await client.putBatch('e1', 0, 0, body, headers)).status, 200);
});

for (const [key, value, detail] of [
  ['epoch', 'e2', /epoch must be e1/],
  ['shard', '1', /shard must be 0/],
  ['sequence', '5', /sequence must be 0/],
  ['planDigest', 'sha256:other', /planDigest must be sha256:abc/],
  ['readTimestamp', '2026-11-21T07:00:00.123456788Z', /readTimestamp must be/],
  ['role', 'held-out', /role must be train, evaluate or test/],
  ['columns', '[', /columns must be JSON/],
  ['rows', '5', /at most 4/],
  ['rows', '-1', /whole number/],
  ['rows', '3', /shape \[3\]/],
  ['rowFrom', '9', /rowTo must be 9/],
  ['rowTo', '2', /what rowFrom and rowTo span/],
] as const) {
  test(`PUT batch refuses metadata ${key} ${value}`, async (t) => {
    const { client } = await startAnnounced(t);
    await refused(client.putBatch('e1', 0, 0, smallBatch({ metadata: { [key]: value } })), 422, detail);
    assert.equal((await client.show('e1')).batches, 0);
  });
}

for (const [what, tensors, detail] of [
  ['of another dtype', { distance: int32([1, 2, 3, 4]) }, /announced as F32 and is I32/],
  ['of another shape', { distance: float32([1, 2, 3, 4], 2) }, /shape \[4\] and has \[2,2\]/],
  ['that was not announced', { more: uint8([1, 2, 3, 4]) }, /\\"more\\" was not announced/],
  ['with an id below 0', { origin: int32([0, -1, 2, 0]) }, /has -1 in row 1; wanted are whole numbers from 0 to 2/],
  ['with an id of categories', { origin: int32([0, 1, 2, 3]) }, /has 3 in row 3/],
  ['with a label that is neither 0 nor 1', { label: uint8([0, 1, 2, 0]) }, /has 2 in row 2/],
] as const) {
  test(`PUT batch refuses a tensor ${what}`, async (t) => {
    const { client } = await startAnnounced(t);
    await refused(client.putBatch('e1', 0, 0, smallBatch({ tensors })), 422, detail);
  });
}

test('PUT batch refuses a body without an announced tensor, without metadata, and one that is no safetensors', async (t) => {
  const { client } = await startAnnounced(t);
  const nothing = new Uint8Array(batchBody(undefined, { label: uint8([1]) }));
  await refused(client.putBatch('e1', 0, 0, nothing), 422, /epoch must be e1 and is missing/);
  await refused(client.putBatch('e1', 0, 0, new Uint8Array(0)), 422, /Not safetensors/);
  await refused(client.putBatch('e1', 0, 0, new TextEncoder().encode('hello, trainer')), 422, /Not safetensors/);
});

test('readTimestamp is compared as an instant, not as text', async (t) => {
  const { client } = await start(t);
  await client.announce('e1', { ...smallAnnouncement, readTimestamp: '2026-11-21T07:00:00.5Z' });
  const body = smallBatch({ metadata: { readTimestamp: '2026-11-21T07:00:00.500000000Z' } });
  assert.equal((await client.putBatch('e1', 0, 0, body)).status, 200);
});

test('addresses that name nothing are 404, and other methods 405', async (t) => {
  const { client } = await startAnnounced(t);
  await refused(client.call('GET', '/v1/epochs/none'), 404, /was not announced/);
  await refused(client.putBatch('none', 0, 0, smallBatch({ epoch: 'none' })), 404, /was not announced/);
  await refused(client.putBatch('e1', 2, 0, smallBatch({ shard: 2 })), 404, /shards 0 to 1/);
  await refused(client.endShard('e1', 2, { batches: 0, rows: 0 }), 404, /shards 0 to 1/);
  await refused(client.endEpoch('none'), 404, /was not announced/);
  await refused(client.call('GET', '/v2'), 404, /nothing at/);
  await refused(client.call('PUT', '/v1/epochs/e1/shards/00/batches/0', 'x'), 404, /nothing at/);
  await refused(client.call('PUT', '/v1/epochs/..%2F..%2Fetc', '{}'), 404, /nothing at/);
  await refused(client.call('GET', '/v1/epochs/%E0%A4%A'), 400, /percent-encoded/);
  await refused(client.call('DELETE', '/v1/epochs/e1'), 405, /takes PUT, GET/);
});

test('a shard ends when all is here, again just so, and never otherwise', async (t) => {
  const { client } = await startAnnounced(t);
  await client.putBatch('e1', 0, 0, smallBatch());
  await refused(client.endShard('e1', 0, { batches: 1, rows: 5 }), 409, /1 batches with 4 rows, not 1 with 5/);
  await refused(client.endShard('e1', 0, { batches: 0, rows: 0 }), 409, /1 batches with 4 rows, not 0 with 0/);
  await refused(client.endShard('e1', 0, { batches: '1', rows: 4 }), 422, /whole numbers/);
  await refused(client.call('POST', '/v1/epochs/e1/shards/0/end', '{'), 400, /not JSON/);
  for (let again = 0; again < 2; again += 1)
    assert.equal((await client.endShard('e1', 0, { batches: 1, rows: 4 })).status, 200);
  await refused(client.endShard('e1', 0, { batches: 2, rows: 8 }), 409, /ended with 1 batches and 4 rows/);
  await refused(
    client.putBatch('e1', 0, 1, smallBatch({ sequence: 1 })),
    409,
    /after the shard’s end|after the shard's end/,
  );
  assert.match((await client.putBatch('e1', 0, 0, smallBatch())).text, /duplicate/);
  await refused(client.endEpoch('e1'), 409, /1 of 2 shards have not ended: 1/);
});

test('the cache’s limit answers 429 with Retry-After, and credits fall to 0 before it', async (t) => {
  const { client } = await startAnnounced(t, { maxCacheBytes: smallBatch().length + 1 });
  const first = await client.putBatch('e1', 0, 0, smallBatch());
  assert.deepEqual(first.json, { status: 'accepted', credits: 0 });
  const second = await client.putBatch('e1', 0, 1, smallBatch({ sequence: 1 }));
  assert.equal(second.status, 429);
  assert.equal(second.retryAfter, '5');
  assert.match((await client.putBatch('e1', 0, 0, smallBatch())).text, /duplicate/);
});

test('a body over 16 MiB is 413, whether its length says so or not', async (t) => {
  const { client, url } = await startAnnounced(t);
  const tooLarge = new Uint8Array(16 * 1024 * 1024 + 1);
  await refused(client.putBatch('e1', 0, 0, tooLarge), 413, /at most 16777216 bytes/);
  const chunked = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' };
    const put = request(`${url}/v1/epochs/e1/shards/0/batches/0`, { method: 'PUT', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    put.on('error', reject);
    for (let sent = 0; sent < 17; sent += 1) put.write(new Uint8Array(1024 * 1024));
    put.end();
  });
  assert.equal(chunked, 413);
});

test('a body shorter or longer than its length says is never stored', async (t) => {
  const { client, url } = await startAnnounced(t);
  const body = smallBatch();
  const answerTo = (lengthClaimed: number, breaksOff: boolean) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
        socket.end();
      });
      socket.on('close', () => resolve(text)).on('error', reject);
      socket.write(
        `PUT /v1/epochs/e1/shards/0/batches/0 HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n` +
          `Content-Digest: ${contentDigest(body)}\r\nContent-Length: ${lengthClaimed}\r\n\r\n`,
      );
      if (breaksOff) socket.end(body);
      else socket.write(body);
    });
  assert.doesNotMatch(await answerTo(body.length + 10, true), /accepted/);
  assert.match(
    await answerTo(body.length - 10, false),
    /^HTTP\/1.1 400 .*\r\ncontent-type: application\/problem\+json/,
  );
  assert.match(await answerTo(99 * 1024 * 1024, false), /^HTTP\/1.1 413/);
  assert.equal((await client.show('e1')).batches, 0);
});

test('everything that was answered survives a restart, and a torn batch is asked for again', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'trainer-'));
  const before = await openTrainer({ dir });
  const client = trainerClient(before.url);
  await client.announce('e1', smallAnnouncement);
  for (const sequence of [0, 1]) await client.putBatch('e1', 0, sequence, smallBatch({ sequence }));
  await client.putBatch('e1', 1, 0, smallBatch({ shard: 1 }));
  await client.endShard('e1', 0, { batches: 2, rows: 8 });
  const told = await client.show('e1');
  await before.close();
  const again = await openTrainer({ dir });
  assert.deepEqual(await trainerClient(again.url).show('e1'), told);
  await again.close();
  const folder = join(dir, 'epochs', 'e1', 'shards', '0');
  const torn = (await readdir(folder)).find((name) => name.startsWith('1.'));
  await writeFile(join(folder, torn ?? ''), 'torn');
  await writeFile(join(folder, '7.tmp.unfinished'), 'unfinished');
  const { client: last } = await start(t, { dir });
  assert.deepEqual((await last.show('e1')).shards[0], { shard: 0, taken: 1, next: 1, rows: 4, ended: false });
  assert.ok(!(await readdir(folder)).some((name) => name.endsWith('.unfinished')));
  assert.match((await last.putBatch('e1', 0, 1, smallBatch({ sequence: 1 }))).text, /accepted/);
  assert.equal((await last.endShard('e1', 0, { batches: 2, rows: 8 })).status, 200);
});

test('GET epochs lists the ids, and GET metrics counts in Prometheus’ format', async (t) => {
  const { client } = await startAnnounced(t);
  await client.putBatch('e1', 0, 0, smallBatch());
  assert.deepEqual((await client.call('GET', '/v1/epochs')).json, { epochs: ['e1'] });
  const { contentType, text } = await client.call('GET', '/metrics');
  assert.match(contentType ?? '', /^text\/plain; version=0.0.4/);
  assert.match(text, /^# TYPE penstock_trainer_rows gauge\npenstock_trainer_rows\{epoch="e1"\} 4$/m);
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? [\d.e+-]+)$/);
});

test('a trainer that is starting or closing answers 503 with Retry-After', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'trainer-'));
  const trainer = await openTrainer({ dir });
  const client = trainerClient(trainer.url);
  await client.announce('e1', smallAnnouncement);
  const put = request(`${trainer.url}/v1/epochs`, { method: 'GET' });
  const answered = new Promise<{ status: number | undefined; retryAfter: string | undefined }>((resolve, reject) => {
    put.on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'] });
    });
    put.on('error', reject);
  });
  await new Promise<void>((resolve) => {
    put.on('socket', (socket) => socket.once('connect', resolve));
  });
  const closed = trainer.close();
  put.end();
  assert.deepEqual(await answered, { status: 503, retryAfter: '1' });
  await closed;
  await rm(dir, { recursive: true });
});
