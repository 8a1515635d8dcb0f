import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openTrainer } from '../../../../deploy/local/trainer/server.ts';
import { loadCheckpoint } from '../../../../deploy/local/trainer/training/checkpoint.ts';
import { deliver, flightsEpoch } from './flights-epoch.ts';
import { openTestIssuer, type TestIssuer } from './test-issuer.ts';
import { trainerClient } from './trainer-client.ts';
import { endTrainerProcesses, startTrainerProcess } from './trainer-process.ts';

let issuer: TestIssuer;
let root: string;

before(async () => {
  issuer = await openTestIssuer();
  root = await mkdtemp(join(tmpdir(), 'trainer-'));
});

after(async () => {
  endTrainerProcesses();
  await issuer.close();
  await rm(root, { recursive: true });
});

function checkpointIn(dir: string) {
  return loadCheckpoint(join(dir, 'epochs', 'e1', 'checkpoint.safetensors'));
}

test('main.ts killed with -9 again and again trains each batch once a pass, to the very weights of a run without kills', async () => {
  const epoch = flightsEpoch({ id: 'e1', shards: 4, batchRows: 256, limit: 2500 });
  const [calm, killed] = [join(root, 'calm'), join(root, 'killed')];
  const quiet = await openTrainer({ dir: calm });
  await deliver(trainerClient(quiet.url), epoch);
  const wanted = await trainerClient(quiet.url).until('e1', ({ state }) => state === 'trained');
  await quiet.close();

  // Saved after each batch, so that kills fall into the middle of passes, and of saves.
  const eachBatch = { PENSTOCK_TRAINER_SAVE_EVERY_MS: '0' };
  let current = await startTrainerProcess(killed, issuer, eachBatch);
  await deliver(current.client, epoch);
  let midPass = 0;
  for (let kills = 1; kills <= 3; kills += 1) {
    const share = kills / 4;
    await current.client.until('e1', ({ steps }) => steps >= share * wanted.steps);
    assert.equal(await current.end('SIGKILL'), null);
    const saved = await checkpointIn(killed);
    midPass += Number((saved?.state.position.batch ?? 0) > 0);
    assert.ok((saved?.state.steps ?? 0) < wanted.steps, 'the kill came after the end, so it proves nothing');
    current = await startTrainerProcess(killed, issuer, eachBatch);
  }
  assert.ok(midPass > 0, 'no kill fell into a pass');
  const reached = await current.client.until('e1', ({ state }) => state === 'trained');
  assert.equal(reached.rowsSeenOnce, epoch.rows);
  assert.equal(reached.rows, epoch.rows);
  assert.ok(Number.isFinite(reached.training.lastLoss));
  assert.equal(await current.end('SIGTERM'), 0);
  assert.deepEqual({ ...reached, waitShare: 0 }, { ...wanted, waitShare: 0 });
  assert.deepEqual((await checkpointIn(killed))?.weights, (await checkpointIn(calm))?.weights);
});

test('main.ts killed with -9 while batches come has every batch that it accepted', async () => {
  const epoch = flightsEpoch({ id: 'e1', shards: 2, batchRows: 64, limit: 1000 });
  const dir = join(root, 'receiving');
  let { client, end } = await startTrainerProcess(dir, issuer);
  await client.announce('e1', epoch.announcement);
  const accepted = new Set<string>();
  let kills = 0;
  for (const [shard, { batches }] of epoch.shards.entries()) {
    for (const { sequence, body } of batches) {
      const reply = client.putBatch('e1', shard, sequence, body);
      if (sequence % 8 === 5) {
        kills += 1;
        await Promise.all([end('SIGKILL'), reply.catch(() => undefined)]);
        ({ client, end } = await startTrainerProcess(dir, issuer));
        const { shards } = await client.show('e1');
        const here = shards.flatMap(({ shard: number, next }) =>
          Array.from({ length: next }, (_, n) => `${number}/${n}`),
        );
        for (const batch of accepted) assert.ok(here.includes(batch), `${batch} was accepted and is lost`);
        assert.equal((await client.putBatch('e1', shard, sequence, body)).status, 200);
      } else {
        assert.equal((await reply).status, 200);
      }
      accepted.add(`${shard}/${sequence}`);
    }
  }
  assert.ok(kills >= 3);
  for (const [shard, { batches, rows }] of epoch.shards.entries()) {
    assert.equal((await client.endShard('e1', shard, { batches: batches.length, rows })).status, 200);
  }
  assert.equal((await client.show('e1')).rows, 1000);
  assert.equal(await end('SIGTERM'), 0);
});
