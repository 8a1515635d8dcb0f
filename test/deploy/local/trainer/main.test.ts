import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadCheckpoint } from '../../../../deploy/local/trainer/training/checkpoint.ts';
import { deliver, flightsEpoch } from './flights-epoch.ts';
import { openTestIssuer, type TestIssuer } from './test-issuer.ts';
import { endTrainerProcesses, spawnTrainer, startTrainerProcess } from './trainer-process.ts';

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

test('main.ts ended by SIGTERM in training saves where it is, loses no step, and writes nothing but its one line', async () => {
  const epoch = flightsEpoch({ id: 'e1', shards: 2, batchRows: 256, limit: 4000 });
  const dir = join(root, 'term');
  const { client, end, said } = await startTrainerProcess(dir, issuer);
  await deliver(client, epoch);
  const { steps } = await client.until('e1', (reply) => reply.steps > 60);
  assert.equal(await end('SIGTERM'), 0);
  const saved = await loadCheckpoint(join(dir, 'epochs', 'e1', 'checkpoint.safetensors'));
  assert.ok((saved?.state.steps ?? 0) >= steps, `${saved?.state.steps} steps are saved of ${steps}`);
  assert.deepEqual(said, []);
});

test('main.ts without what it needs names the variable and exits 1', async () => {
  const child = spawnTrainer({ PENSTOCK_TRAINER_DIR: root });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  await once(child, 'close');
  assert.equal(child.exitCode, 1);
  assert.match(Buffer.concat(said).toString(), /PENSTOCK_OIDC_ISSUER/);
});
