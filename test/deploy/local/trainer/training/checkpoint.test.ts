import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type Checkpoint,
  loadCheckpoint,
  saveCheckpoint,
} from '../../../../../deploy/local/trainer/training/checkpoint.ts';

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
after(() => rm(dir, { recursive: true }));

const checkpoint: Checkpoint = {
  state: {
    modelVersion: 1,
    batchesDigest: 'abc',
    passes: 2,
    seed: '7',
    position: { pass: 1, batch: 3 },
    steps: 12,
    curve: {
      points: [{ step: 1, loss: 0.1 + 0.2 }],
      stride: 1,
      pendingSum: 1 / 3,
      pendingCount: 1,
      firstLoss: 0.7,
      recent: [0.5],
    },
    evaluations: [{ pass: 1, step: 6, loss: 0.5, auc: null }],
    waitedMs: 1.5,
    trainedMs: 20,
  },
  ledger: Uint8Array.of(1, 1, 0, 2),
  weights: [
    {
      name: 'embedding/origin',
      shape: [2, 2],
      value: Float32Array.of(1, -0, 1e-40, Math.PI),
      firstMoment: Float32Array.of(1, 2, 3, 4),
      secondMoment: Float32Array.of(5, 6, 7, 8),
    },
    {
      name: 'layer0/bias',
      shape: [1],
      value: Float32Array.of(9),
      firstMoment: Float32Array.of(0),
      secondMoment: Float32Array.of(0),
    },
  ],
};

test('loadCheckpoint() gives back to the last bit what saveCheckpoint() put there, and nothing else is left', async () => {
  const path = join(dir, 'same');
  await saveCheckpoint(path, { ...checkpoint, ledger: Uint8Array.of(0, 0, 0, 0) });
  await saveCheckpoint(path, checkpoint);
  assert.deepEqual(await loadCheckpoint(path), checkpoint);
  assert.deepEqual(await readdir(dir), ['same']);
});

test('loadCheckpoint() takes no checkpoint with a single byte changed or missing', async () => {
  const path = join(dir, 'torn');
  await saveCheckpoint(path, checkpoint);
  const whole = await readFile(path);
  for (let at = 0; at < whole.length; at += 1) {
    const torn = Buffer.from(whole);
    torn[at] = (torn[at] ?? 0) ^ 1;
    await writeFile(path, torn);
    // A space of the header's padding may become "!", which is no JSON either, so nothing is allowed to change unseen.
    assert.equal(await loadCheckpoint(path), undefined, `byte ${at}`);
  }
  for (const kept of [0, 8, whole.length >> 1, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, kept));
    assert.equal(await loadCheckpoint(path), undefined, `${kept} bytes`);
  }
});

test('loadCheckpoint() finds nothing where there is nothing', async () => {
  assert.equal(await loadCheckpoint(join(dir, 'none')), undefined);
});
