import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { withTarget } from '../../shared/model/config/plain-pipeline.ts';
import { counts, flight, flights, openIngest, untilRows } from './ingest-fixture.ts';

const WORKER = fileURLToPath(new URL('../../../functions/kafka-sink/worker.ts', import.meta.url));

/** Starts the worker in a process of its own. */
function startWorker(declaration: Declaration, dir: string): ChildProcess {
  const path = join(dir, 'declaration.json');
  writeFileSync(path, JSON.stringify(declaration));
  return spawn(process.execPath, [WORKER], {
    stdio: 'ignore',
    env: { ...process.env, PENSTOCK_DECLARATION: path, PENSTOCK_IDENTITY: 'tester' },
  });
}

test('the worker ends with 0 at SIGTERM under load, every commit whole', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-worker-'));
  await using ingest = await openIngest();
  await ingest.createTopic(2);
  for (let at = 0; at < 20_000; at += 5_000) {
    await ingest.produce(Array.from({ length: 5_000 }, (_, i) => flight(`F${at + i}`)));
  }
  const worker = startWorker(ingest.declaration(counts), dir);
  await untilRows(ingest, 1, 'Counts');
  const exited = once(worker, 'exit');
  worker.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  const [checkpoint] = await ingest.query('SELECT SUM(NextOffset) AS n FROM PenstockCheckpoints');
  const [group] = await ingest.query('SELECT FlightCount AS n FROM Counts');
  assert.equal(group?.n, checkpoint?.n);
  rmSync(dir, { recursive: true });
});

test('the worker ends with 2 when a pipeline does not fit its table', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-worker-'));
  await using ingest = await openIngest();
  const worker = startWorker(ingest.declaration(withTarget(flights, { table: 'Nowhere' })), dir);
  assert.deepEqual(await once(worker, 'exit'), [2, null]);
  rmSync(dir, { recursive: true });
});
