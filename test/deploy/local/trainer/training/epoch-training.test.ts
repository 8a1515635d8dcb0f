import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openTrainer, type TrainerOptions } from '../../../../../deploy/local/trainer/server.ts';
import { chooseStepRows } from '../../../../../deploy/local/trainer/training/epoch-training.ts';
import { float32, uint8 } from '../batch-body.ts';
import { deliver, flightsEpoch } from '../flights-epoch.ts';
import { smallAnnouncement, smallBatch } from '../small-epoch.ts';
import { trainerClient } from '../trainer-client.ts';

async function start(t: TestContext, options: Partial<TrainerOptions> = {}) {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'training-')));
  const trainer = await openTrainer({ dir, ...options });
  t.after(async () => {
    await trainer.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { trainer, dir, client: trainerClient(trainer.url) };
}

test('real flights: three passes beat the base rate by origin, every row enters each pass once, answers stay quick', async (t) => {
  const { client } = await start(t, { training: { passes: 3 } });
  const epoch = flightsEpoch({ id: 'flights' });
  await deliver(client, epoch);
  const answerMs: number[] = [];
  const reply = await client.until('flights', ({ state }) => {
    answerMs.push(performance.now());
    return state === 'trained';
  });
  const { training } = reply;
  assert.equal(reply.rows, 10_000);
  assert.equal(reply.rowsSeenOnce, 10_000);
  assert.deepEqual([reply.passes, reply.position], [3, { pass: 3, batch: 0 }]);
  assert.ok(
    (training.auc ?? 0) > (training.baselineAuc ?? 1) + 0.02,
    `${training.auc} against ${training.baselineAuc}`,
  );
  assert.ok(
    (training.lastLoss ?? 1) < 0.55 && (training.firstLoss ?? 0) > 0.6,
    `${training.firstLoss} to ${training.lastLoss}`,
  );
  assert.deepEqual(
    training.evaluations.map(({ pass }) => pass),
    [1, 2, 3],
  );
  assert.equal(training.losses.at(-1)?.step, reply.steps);
  const gaps = answerMs.slice(1).map((at, index) => at - (answerMs[index] ?? at));
  assert.ok(Math.max(...gaps) < 1_000, `an answer took ${Math.max(...gaps)} ms`);
});

test('two epochs are received side by side and trained in the order in which they ended', async (t) => {
  const { client } = await start(t, { training: { passes: 1 } });
  const [a, b] = [flightsEpoch({ id: 'a', shards: 2, limit: 600 }), flightsEpoch({ id: 'b', shards: 2, limit: 600 })];
  for (const { id, announcement } of [a, b]) assert.equal((await client.announce(id, announcement)).status, 201);
  await deliver(client, b);
  await deliver(client, a);
  assert.equal((await client.until('a', ({ steps }) => steps > 0)).rows, 600);
  assert.equal((await client.show('b')).state, 'trained');
  await client.until('a', ({ state }) => state === 'trained');
});

test('the same seed gives the same losses, another one others', async (t) => {
  const losses = async (seed: string) => {
    const { client } = await start(t, { training: { passes: 1, seed } });
    await deliver(client, flightsEpoch({ id: 'e', shards: 2, limit: 800 }));
    return (await client.until('e', ({ state }) => state === 'trained')).training.losses;
  };
  const [one, same, other] = [await losses('1'), await losses('1'), await losses('2')];
  assert.deepEqual(one, same);
  assert.notDeepEqual(one, other);
});

test('an epoch that was trained is trained still after a restart, though other passes are asked for', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'training-'));
  const before = await openTrainer({ dir, training: { passes: 1 } });
  await deliver(trainerClient(before.url), flightsEpoch({ id: 'e', shards: 1, limit: 300 }));
  const trained = await trainerClient(before.url).until('e', ({ state }) => state === 'trained');
  await before.close();
  const { client } = await start(t, { dir, training: { passes: 4 } });
  assert.deepEqual(await client.show('e'), trained);
});

test('a checkpoint that is torn starts the training anew, with every row counted once', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'training-'));
  const epoch = flightsEpoch({ id: 'e', shards: 1, limit: 300 });
  const before = await openTrainer({ dir, training: { passes: 2 } });
  await deliver(trainerClient(before.url), epoch);
  const trained = await trainerClient(before.url).until('e', ({ state }) => state === 'trained');
  await before.close();
  await writeFile(join(dir, 'epochs', 'e', 'checkpoint.safetensors'), 'torn');
  const { client } = await start(t, { dir, training: { passes: 2 } });
  const again = await client.until('e', ({ state }) => state === 'trained');
  assert.deepEqual({ ...again, waitShare: 0 }, { ...trained, waitShare: 0 });
});

async function deliverSmall(
  client: ReturnType<typeof trainerClient>,
  batches: Uint8Array<ArrayBuffer>[],
  rows: number,
) {
  await client.announce('e1', { ...smallAnnouncement, shards: 1 });
  for (const [sequence, body] of batches.entries()) {
    assert.equal((await client.putBatch('e1', 0, sequence, body)).status, 200);
  }
  assert.equal((await client.endShard('e1', 0, { batches: batches.length, rows })).status, 200);
  assert.equal((await client.endEpoch('e1')).status, 200);
}

for (const [what, bodies, rows, error] of [
  [
    'a feature that is not a number',
    [smallBatch({ tensors: { distance: float32([1, Number.NaN, 3, 4]) } })],
    4,
    /loss is NaN at batch 0 of shard 0/,
  ],
  ['rows to evaluate alone', [smallBatch({ metadata: { role: 'evaluate' } })], 4, /no rows of role train/],
  ['no batches', [], 0, /no rows of role train/],
] as const) {
  test(`an epoch with ${what} fails, says why, and does not stop the next`, async (t) => {
    const { client } = await start(t, { training: { passes: 1 } });
    await deliverSmall(client, [...bodies], rows);
    await deliver(client, flightsEpoch({ id: 'next', shards: 1, limit: 300 }));
    assert.equal((await client.until('next', ({ state }) => state === 'trained')).rowsSeenOnce, 300);
    const { state, error: given } = await client.show('e1');
    assert.equal(state, 'failed');
    assert.match(given ?? '', error);
  });
}

test('an epoch without held-out rows, with an empty batch, or with one label among them is trained, its AUC unknown', async (t) => {
  const { client } = await start(t, { training: { passes: 2 } });
  const empty = smallBatch({
    sequence: 1,
    metadata: { rows: '0' },
    tensors: { distance: float32([]), origin: { dtype: 'I32', shape: [0], data: new Uint8Array() }, label: uint8([]) },
  });
  const lateOnly = smallBatch({ sequence: 2, metadata: { role: 'evaluate' }, tensors: { label: uint8([1, 1, 1, 1]) } });
  await deliverSmall(client, [smallBatch(), empty, lateOnly], 8);
  const { training, rowsSeenOnce } = await client.until('e1', ({ state }) => state === 'trained');
  assert.equal(rowsSeenOnce, 8);
  assert.deepEqual([training.auc, training.baselineAuc], [null, null]);
  assert.ok(Number.isFinite(training.evaluations[0]?.loss));
});

test('rows of test and rows of weight 0 leave the weights as they would be without them', async (t) => {
  const { client } = await start(t, { training: { passes: 2 } });
  const weighted = {
    ...smallAnnouncement,
    tensors: [...smallAnnouncement.tensors, { name: 'weight', dtype: 'float32', shape: [], role: 'weight' }],
  };
  const batch = (epoch: string, sequence: number, role: string, weights: number[], label: number[]) =>
    smallBatch({ epoch, sequence, metadata: { role }, tensors: { weight: float32(weights), label: uint8(label) } });
  const curveOf = async (epoch: string, labels: number[]) => {
    await client.announce(epoch, weighted);
    await client.putBatch(epoch, 0, 0, batch(epoch, 0, 'train', [1, 2, 0, 0.5], [0, 1, labels[0] ?? 0, 1]));
    await client.putBatch(epoch, 0, 1, batch(epoch, 1, 'test', [1, 1, 1, 1], labels));
    await client.endShard(epoch, 0, { batches: 2, rows: 8 });
    await client.endShard(epoch, 1, { batches: 0, rows: 0 });
    await client.endEpoch(epoch);
    return (await client.until(epoch, ({ state }) => state === 'trained')).training.lastLoss;
  };
  assert.equal(await curveOf('zeros', [0, 0, 0, 0]), await curveOf('ones', [1, 1, 1, 1]));
});

test('a batch whose bytes change under the training fails the epoch, and is asked for again after a restart', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'training-'));
  const epoch = flightsEpoch({ id: 'e', shards: 1, limit: 300 });
  const before = await openTrainer({ dir, training: { passes: 40 } });
  const client = trainerClient(before.url);
  await deliver(client, epoch);
  await client.until('e', ({ steps }) => steps > 0);
  const folder = join(dir, 'epochs', 'e', 'shards', '0');
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.batch'));
  await writeFile(join(folder, name ?? ''), 'changed');
  await assert.rejects(
    client.until('e', () => false),
    /is not what was accepted/,
  );
  await before.close();
  const { client: after } = await start(t, { dir, training: { passes: 1 } });
  assert.equal((await after.show('e')).state, 'receiving');
  await deliver(after, epoch);
  const { rowsSeenOnce, steps } = await after.until('e', ({ state }) => state === 'trained');
  assert.ok(rowsSeenOnce === 300 && steps > 0);
});

test('chooseStepRows() grows with the rows', () => {
  assert.deepEqual([1, 4_000, 20_000, 100_000, 10_000_000].map(chooseStepRows), [64, 128, 256, 1024, 1024]);
});
