import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { openTrainer, type TrainerOptions } from '../../../../deploy/local/trainer/server.ts';
import { trainerClient as readersClient } from '../../../../shared/adapters/trainer/trainer-client.ts';
import { float32 } from './batch-body.ts';
import { openContractDoor } from './contract-door.ts';
import { readContract } from './openapi-contract.ts';
import { smallAnnouncement, smallArrowBatch, smallBatch } from './small-epoch.ts';
import { openTestIssuer, type TestIssuer } from './test-issuer.ts';
import { type TrainerClient, trainerClient } from './trainer-client.ts';

const contract = readContract();
/** `operationId status` of all that the tests of this file have seen. */
const seen = new Set<string>();
const MAX_JSON_BYTES = 4 * 1024 * 1024;
const MAX_BATCH_BYTES = 16 * 1024 * 1024;

let issuer: TestIssuer;

before(async () => {
  issuer = await openTestIssuer();
});

after(() => issuer.close());

async function start(t: TestContext, options: Partial<TrainerOptions> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'trainer-'));
  const trainer = await openTrainer({ dir, ...options });
  const door = await openContractDoor(trainer.url, contract, seen);
  t.after(async () => {
    await door.close();
    await trainer.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { dir, trainer, door, client: trainerClient(door.url) };
}

/** One request of each operation, good but for what a test changes around it. */
function eachOperation(client: TrainerClient, epoch = 'e1'): Promise<{ status: number; text: string }>[] {
  return [
    client.call('GET', '/v1/epochs'),
    client.announce(epoch, smallAnnouncement),
    client.call('GET', `/v1/epochs/${epoch}`),
    client.putBatch(epoch, 0, 0, smallBatch()),
    client.endShard(epoch, 0, { batches: 1, rows: 4 }),
    client.endEpoch(epoch),
    client.call('GET', '/metrics'),
  ];
}

async function allAnswered(status: number, replies: readonly Promise<{ status: number; text: string }>[]) {
  for (const reply of replies) {
    const { status: given, text } = await reply;
    assert.equal(given, status, text);
  }
}

test('the contract’s examples agree with its schemas', () => {
  assert.deepEqual(contract.exampleProblems(), []);
});

test('the trainer answers as the contract says while an epoch goes its whole way', async (t) => {
  const { client, door } = await start(t);
  assert.equal((await client.announce('e1', smallAnnouncement)).status, 201);
  assert.equal((await client.announce('e1', smallAnnouncement)).status, 200);
  await client.show('e1');
  for (const shard of [0, 1]) {
    for (const sequence of [1, 0, 1]) await client.putBatch('e1', shard, sequence, smallBatch({ shard, sequence }));
    await client.endShard('e1', shard, { batches: 2, rows: 8 });
  }
  await client.call('GET', '/metrics');
  assert.equal((await client.endEpoch('e1')).status, 200);
  await client.until('e1', ({ state }) => state === 'trained');
  await client.call('GET', '/metrics');
  assert.equal((await client.call('GET', '/v1/epochs')).status, 200);
  assert.deepEqual(door.problems, []);
});

test('the trainer takes Arrow batches as the contract says, and trains on them', async (t) => {
  const { client, door } = await start(t);
  await client.announce('e1', { ...smallAnnouncement, shards: 1, format: 'arrow' });
  const type = { 'content-type': 'application/vnd.apache.arrow.stream' };
  for (const sequence of [1, 0]) {
    const reply = await client.putBatch('e1', 0, sequence, smallArrowBatch({ sequence }), type);
    assert.match(reply.text, /accepted/);
  }
  await client.endShard('e1', 0, { batches: 2, rows: 8 });
  await client.endEpoch('e1');
  const { rowsSeenOnce } = await client.until('e1', ({ state }) => state === 'trained');
  assert.equal(rowsSeenOnce, 8);
  assert.deepEqual([...door.problems, ...door.requestProblems], []);
  await allAnswered(415, [
    client.putBatch('e1', 0, 2, smallArrowBatch({ sequence: 2 })),
    client.putBatch('e1', 0, 2, smallBatch({ sequence: 2 }), type),
  ]);
  const cut = smallArrowBatch({ sequence: 2 }).slice(0, 300);
  await allAnswered(422, [client.putBatch('e1', 0, 2, cut, type)]);
});

test('the readers’ client sends what the contract says, and understands its answers', async (t) => {
  const { door } = await start(t);
  const { signal } = new AbortController();
  const reader = readersClient({ url: door.url, authorization: async () => 'Bearer any', signal });
  await reader.announce('e1', { ...smallAnnouncement, shards: 1 });
  const body = Buffer.from(smallBatch());
  assert.equal(await reader.putBatch({ epoch: 'e1', shard: 0, sequence: 0 }, body), 'accepted');
  assert.equal(await reader.putBatch({ epoch: 'e1', shard: 0, sequence: 0 }, body), 'duplicate');
  await reader.endShard('e1', 0, { batches: 1, rows: 4 });
  await reader.endEpoch('e1');
  assert.deepEqual([...door.problems, ...door.requestProblems], []);
});

test('the trainer’s refusals are those of the contract', async (t) => {
  const { client, door } = await start(t);
  await client.announce('e1', smallAnnouncement);
  await allAnswered(400, [
    client.call('PUT', '/v1/epochs/e1', '{'),
    client.call('GET', '/v1/epochs/%E0%A4%A'),
    client.putBatch('e1', 0, 0, smallBatch(), { 'content-digest': '' }),
    client.call('POST', '/v1/epochs/e1/shards/0/end', '{'),
    client.endEpoch('%E0%A4%A'),
  ]);
  await allAnswered(404, [
    client.announce('-', smallAnnouncement),
    client.call('GET', '/v1/epochs/none'),
    client.putBatch('e1', 7, 0, smallBatch({ shard: 7 })),
    client.endShard('e1', 7, { batches: 0, rows: 0 }),
    client.endEpoch('none'),
  ]);
  await client.putBatch('e1', 0, 0, smallBatch());
  await allAnswered(409, [
    client.announce('e1', { ...smallAnnouncement, seed: 8 }),
    client.putBatch('e1', 0, 0, smallBatch({ tensors: { distance: float32([9, 9, 9, 9]) } })),
    client.endShard('e1', 0, { batches: 2, rows: 8 }),
    client.endEpoch('e1'),
  ]);
  const large = ' '.repeat(MAX_JSON_BYTES + 1);
  await allAnswered(413, [
    client.call('PUT', '/v1/epochs/e1', large),
    client.putBatch('e1', 0, 0, new Uint8Array(MAX_BATCH_BYTES + 1)),
    client.call('POST', '/v1/epochs/e1/shards/0/end', large),
    client.call('POST', '/v1/epochs/e1/end', large),
  ]);
  await allAnswered(415, [client.putBatch('e1', 0, 0, smallBatch(), { 'content-type': 'text/plain' })]);
  await allAnswered(422, [
    client.announce('e2', { ...smallAnnouncement, shards: 0 }),
    client.putBatch('e1', 0, 1, smallBatch({ sequence: 2 })),
    client.endShard('e1', 0, { batches: -1, rows: 0 }),
  ]);
  assert.deepEqual(door.problems, []);
});

test('a method that the contract does not list is answered with those that it does', async (t) => {
  const { client, door } = await start(t);
  for (const [path, methods] of contract.methods) {
    for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'].filter((one) => !methods.includes(one))) {
      const { status, text } = await client.call(method, path);
      assert.equal(status, 405, `${method} ${path}`);
      const named = /takes ([A-Z, ]+), not/.exec(text)?.[1]?.split(', ') ?? [];
      assert.deepEqual(named.sort(), [...methods].sort(), `${method} ${path}`);
    }
  }
  assert.deepEqual(door.problems, []);
});

test('callers without a token, with another’s, or while the issuer is away are answered as the contract says', async (t) => {
  const callers = ['reader@p.iam.gserviceaccount.com'];
  const { door, trainer } = await start(t, { verify: { issuer: issuer.url, callers } });
  await allAnswered(401, eachOperation(trainerClient(door.url)));
  const token = await issuer.token({
    aud: trainer.url,
    email: 'other@p.iam.gserviceaccount.com',
    email_verified: true,
  });
  await allAnswered(403, eachOperation(trainerClient(door.url, token)));
  const away = await openTestIssuer();
  await away.close();
  const waiting = await start(t, { verify: { issuer: away.url } });
  await allAnswered(503, eachOperation(trainerClient(waiting.door.url, token)));
  assert.deepEqual([...door.problems, ...waiting.door.problems], []);
});

test('a trainer whose memory is promised to other bodies answers 429 as the contract says', async (t) => {
  const { client, door, trainer } = await start(t);
  await client.announce('e1', smallAnnouncement);
  const held: Socket[] = [];
  try {
    // Each announces 16 MiB and sends nothing, until there is no room; the trainer sees them when it likes.
    for (let sequence = 0; ; sequence += 1) {
      const { status } = await client.putBatch('e1', 0, sequence, smallBatch({ sequence }));
      if (status === 429) break;
      assert.ok(sequence < 10_000, 'the trainer never ran out of room');
      if (held.length < 8) held.push(await announceBody(trainer.url));
    }
    await allAnswered(429, [
      client.announce('e2', smallAnnouncement),
      client.endShard('e1', 0, { batches: 0, rows: 0 }),
      client.call('POST', '/v1/epochs/e1/end', '{}', { 'content-type': 'application/json' }),
    ]);
  } finally {
    for (const socket of held) socket.destroy();
  }
  assert.deepEqual(door.problems, []);
});

async function announceBody(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    'PUT /v1/epochs/e1/shards/0/batches/0 HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n' +
      `Content-Length: ${MAX_BATCH_BYTES}\r\n\r\n`,
  );
  return socket;
}

test('a trainer that cannot write answers 500 as the contract says', async (t) => {
  const { client, dir, door } = await start(t);
  await client.announce('e1', { ...smallAnnouncement, shards: 1 });
  await client.announce('e3', { ...smallAnnouncement, shards: 1 });
  await client.putBatch('e3', 0, 0, smallBatch({ epoch: 'e3' }));
  await client.endShard('e3', 0, { batches: 1, rows: 4 });
  await rm(join(dir, 'epochs'), { recursive: true });
  await writeFile(join(dir, 'epochs'), 'no folder');
  await allAnswered(500, [
    client.announce('e2', smallAnnouncement),
    client.putBatch('e1', 0, 0, smallBatch()),
    client.endShard('e1', 0, { batches: 0, rows: 0 }),
    client.endEpoch('e3'),
  ]);
  assert.deepEqual(door.problems, []);
});

test('the contract’s every answer was seen here, and no other', () => {
  assert.deepEqual([...seen].sort(), [...contract.documented].sort());
});

for (const [what, answer, problem] of [
  ['a status that is not in the document', reply(418, {}), /has no answer 418/],
  ['a field that is not in the document', reply(200, { status: 'accepted', credits: 1, more: 1 }), /additional/],
  ['a field that is missing', reply(200, { status: 'accepted' }), /credits/],
  ['a value that is not in the document', reply(200, { status: 'maybe', credits: 1 }), /allowed values/],
  ['a body of another type', reply(200, { status: 'accepted', credits: 1 }, 'text/plain'), /the body is text\/plain/],
  ['no Retry-After with 429', reply(429, problemOf(429), 'application/problem+json'), /Retry-After is missing/],
  ['a problem of another status', reply(409, problemOf(422), 'application/problem+json'), /the problem says 422/],
] as const) {
  test(`the contract finds ${what}`, async (t) => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const door = await openContractDoor(`http://127.0.0.1:${address.port}`, contract);
    t.after(async () => {
      await door.close();
      server.close();
    });
    await trainerClient(door.url).putBatch('e1', 0, 0, smallBatch());
    assert.equal(door.problems.length, 1, door.problems.join('\n'));
    assert.match(door.problems[0] ?? '', problem);
  });
}

test('the contract finds a request that it does not have and that is taken', async (t) => {
  const { client, door } = await start(t);
  await client.announce('e1', smallAnnouncement);
  assert.deepEqual(door.problems, []);
  await client.call('POST', '/v1/epochs/e1/shards/1/end', '{"batches":0,"rows":0}', { 'content-type': 'text/csv' });
  assert.match(door.problems.join(), /the body is text\/csv; listed are application\/json, and was taken/);
});

function reply(status: number, body: object, type = 'application/json'): RequestListener {
  return (request, response) => {
    request.resume().on('end', () => response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body)));
  };
}

function problemOf(status: number): object {
  return { type: 'about:blank', title: 'No', status, detail: 'no' };
}
