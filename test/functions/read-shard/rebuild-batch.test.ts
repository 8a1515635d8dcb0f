import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { openFeedStage } from './feed-stage.ts';

const launch = resolve(import.meta.dirname, '../../../deploy/cli/launch.js');
let stage: Awaited<ReturnType<typeof openFeedStage>>;
let dir: string;

before(async () => {
  stage = await openFeedStage();
  dir = await mkdtemp(join(tmpdir(), 'rebuild-'));
});

after(async () => {
  await stage.close();
  await rm(dir, { recursive: true });
});

test('rebuildBatch() gives the bytes of batches that were delivered, after the rows have changed', async () => {
  const { epoch, shards, manifest } = await stage.plan('rebuilt');
  for (const shard of shards) await readShard(epoch, shard, stage.readTools('reader'));
  await stage.database.table('Flights').update({ FlightId: 'f000001', Origin: 'ZZZ' });
  await stage.database.table('Flights').deleteRows([['f000003']]);
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  assert.ok(stage.trainer.batches.size > 90);
  // Each shard’s first blocks and its last, with batches of both roles.
  const batches = [...stage.trainer.batches].filter((_, at) => at % 5 === 0 || at % 24 > 20);
  for (const [place, delivered] of batches) {
    const [shard = 0, sequence = 0] = place.split('/').map(Number);
    const { body } = await rebuildBatch(manifest, { shard, sequence }, { channel, versions, clock, signal });
    assert.ok(body.equals(delivered), `batch ${place}`);
  }
  const tools = { channel, versions, signal };
  await assert.rejects(rebuildBatch(manifest, { shard: 1, sequence: 999 }, { ...tools, clock }), {
    code: 'NOT_FOUND',
    message: /has \d\d batches, and so no batch 999/,
  });
  await assert.rejects(rebuildBatch(manifest, { shard: 77, sequence: 0 }, { ...tools, clock }), { code: 'NOT_FOUND' });
  const late = () => Date.parse(manifest.readableUntil) + 1;
  await assert.rejects(rebuildBatch(manifest, { shard: 1, sequence: 0 }, { ...tools, clock: late }), {
    code: 'RETENTION_PASSED',
  });
});

test('penstock rebuild writes the delivered bytes, and fails when the digest is another', async () => {
  const { epoch } = await stage.plan('rebuilt');
  assert.equal((await readShard(epoch, 2, stage.readTools('reader'))).status, 'done-before');
  const delivered = stage.trainer.batches.get('2/11');
  assert.ok(delivered);
  const config = join(dir, 'penstock.yaml');
  const out = join(dir, 'batch.safetensors');
  await writeFile(config, `spanner: { database: ${stage.name} }\n`);
  const run = async (...args: string[]) => {
    const command = [launch, 'rebuild', epoch, '2', '11', '--config', config, '--json', ...args];
    const child = spawn(process.execPath, command, { env: { ...process.env, ...stage.env } });
    const [printed, error, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { status, error, printed };
  };
  const sha256 = createHash('sha256').update(delivered);
  const digest = `sha-256=:${sha256.copy().digest('base64')}:`;
  const same = await run('--out', out, '--expect', digest);
  assert.equal(same.status, 0, same.error);
  assert.ok((await readFile(out)).equals(delivered));
  assert.equal(JSON.parse(same.printed).contentDigest, digest);
  const hex = await run('--expect', sha256.copy().digest('hex'));
  assert.equal(hex.status, 0, hex.error);
  const other = await run('--expect', digest.replace(/:.{4}/, ':AAAA'));
  assert.equal(other.status, 1);
  assert.match(other.error, /has SHA-256 [0-9a-f]{64}, not/);
});
