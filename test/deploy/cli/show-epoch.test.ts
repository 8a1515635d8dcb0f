import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { cutShard } from '../../../shared/adapters/spanner/epochs/cut-shard.ts';
import { openFeedStage } from '../../functions/read-shard/feed-stage.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
let stage: Awaited<ReturnType<typeof openFeedStage>>;
let dir: string;

before(async () => {
  stage = await openFeedStage();
  dir = await mkdtemp(join(tmpdir(), 'show-'));
  await writeFile(join(dir, 'penstock.yaml'), `spanner: { database: ${stage.name} }\n`);
});

after(async () => {
  await stage.close();
  await rm(dir, { recursive: true });
});

async function penstock(...args: string[]) {
  const command = [launch, ...args, '--config', join(dir, 'penstock.yaml')];
  const child = spawn(process.execPath, command, { env: { ...process.env, ...stage.env } });
  const [out, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, error, status };
}

test('penstock epoch show names the pace of each shard, and lineage a batch of one that was cut', async () => {
  const { epoch, manifest } = await stage.plan('shown');
  await readShard(epoch, 0, stage.readTools('one'));
  const controller = new AbortController();
  const stopped = await readShard(epoch, 1, {
    ...stage.readTools('two', controller.signal),
    onBatch: ({ sequence }) => {
      if (sequence === 3) controller.abort();
    },
  });
  assert.equal(stopped.status, 'stopped');
  const first = [...stage.trainer.batches.keys()].filter((place) => place.startsWith('1/')).length;
  // The block’s end is known to whoever walked over it; here only its number counts.
  const at = { block: 2, afterKey: ['f001261'], nextSequence: first + 9, rows: 512 };
  assert.equal(await cutShard(stage.database, epoch, 1, at), 4);

  const shown = JSON.parse((await penstock('epoch', 'show', epoch, '--json')).out);
  assert.deepEqual(
    shown.shards.map(({ shard, of, state }: Record<string, unknown>) => [shard, of, state]),
    [
      [0, 0, 'done'],
      [1, 1, 'reading'],
      [2, 2, 'waiting'],
      [3, 3, 'waiting'],
      [4, 1, 'waiting'],
    ],
  );
  assert.equal(typeof shown.shards[1].leftMs, 'number');
  const { out } = await penstock('epoch', 'show', epoch);
  assert.match(out, /750 of 3,000 rows|1,006 of 3,000 rows/);
  assert.match(out, /shard {4}4 .* waiting {2}rest of 1/);
  assert.match(out, /rows\/s/);

  const account = JSON.parse((await penstock('lineage', epoch, '1', '3', '--json')).out);
  assert.equal(account.planDigest, manifest.planDigest);
  assert.match(account.transformDigest, /^sha256:[0-9a-f]{64}$/);
});

test('penstock epoch show --watch ends with the epoch', async () => {
  stage.trainer.forget();
  const { epoch, shards } = await stage.plan('watched');
  for (const shard of shards.slice(1)) await readShard(epoch, shard, stage.readTools('one'));
  const watching = penstock('epoch', 'show', epoch, '--watch');
  await readShard(epoch, shards[0] ?? 0, stage.readTools('one'));
  const { out, status } = await watching;
  assert.equal(status, 0);
  assert.match(out, /delivered, read at/);
  assert.match(out, /3,000 of 3,000 rows, 4 of 4 shards delivered$/m);
});
