import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { PoisonShareError } from '../../../shared/model/events/records/poison-window.ts';
import { flight, flights, type Ingest, openIngest } from './ingest-fixture.ts';

const limited: Pipeline = {
  ...flights,
  poisonLimit: { share: 0.1, of: 20 },
  batch: { ...flights.batch, maxRows: 5 },
};
const broken = { key: 'broken', value: '{' };

async function countsOf(ingest: Ingest): Promise<readonly unknown[]> {
  const [rows] = await ingest.query('SELECT COUNT(*) AS n FROM Flights');
  const [letters] = await ingest.query('SELECT COUNT(*) AS n FROM PenstockDeadLetters');
  const [checkpoint] = await ingest.query('SELECT NextOffset AS n FROM PenstockCheckpoints');
  return [rows?.n, letters?.n, checkpoint?.n];
}

test('runKafkaSink() stops before the batch that would pass the share of poison, and names what it saw', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const good = Array.from({ length: 12 }, (_, at) => flight(`F${at}`));
  // Batches of five: two letters in the first three, the third in the fourth.
  await ingest.produce([
    broken,
    ...good.slice(0, 8),
    broken,
    ...good.slice(8, 12),
    flight('F12'),
    broken,
    flight('F13'),
  ]);
  await assert.rejects(ingest.sink(limited), (error: unknown) => {
    assert.ok(error instanceof PoisonShareError);
    assert.match(error.message, /^Pipeline flights stops: 3 of its last 20 records are poison, over its limit of 10 %/);
    assert.match(error.message, /Most of them \(3\) are undecodable, such as flights\/0\/15: /);
    return true;
  });
  assert.deepEqual(await countsOf(ingest), [13, 2, 15]);
});

test('runKafkaSink() goes on from its checkpoint with an empty window', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([broken, broken, flight('F1'), flight('F2'), flight('F3'), broken, flight('F4')]);
  await assert.rejects(ingest.sink(limited), PoisonShareError);
  assert.deepEqual(await countsOf(ingest), [3, 2, 5]);
  await ingest.sink(limited);
  assert.deepEqual(await countsOf(ingest), [4, 3, 7]);
});

test('runKafkaSink() counts what only the commit reveals', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic();
  const [operation] = await ingest.database.updateSchema(['CREATE UNIQUE INDEX OneDelay ON Flights (DelayMinutes)']);
  await operation.promise();
  await ingest.produce([flight('F1', 1), flight('F2', 1), flight('F3', 1), flight('F4', 1), flight('F5', 2)]);
  await assert.rejects(ingest.sink(limited), /3 of its last 20 records are poison.* are constraint/s);
  const [rows, letters] = await countsOf(ingest);
  assert.deepEqual([rows, letters], [1, 2]);
});

test('the worker ends with 1 when the share of poison is passed, and says why', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'penstock-share-'));
  await using ingest = await openIngest();
  await ingest.createTopic();
  await ingest.produce([broken, broken, broken]);
  const path = join(dir, 'declaration.json');
  writeFileSync(path, JSON.stringify(ingest.declaration(limited)));
  const worker = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../../functions/kafka-sink/worker.ts', import.meta.url))],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PENSTOCK_DECLARATION: path, PENSTOCK_IDENTITY: 'tester' },
    },
  );
  const [lines, [exitCode]] = await Promise.all([text(worker.stderr), once(worker, 'exit')]);
  assert.equal(exitCode, 1);
  const last: { severity: string; code: string } = JSON.parse(lines.trim().split('\n').at(-1) ?? '');
  assert.deepEqual([last.severity, last.code], ['ERROR', 'POISON_SHARE']);
  rmSync(dir, { recursive: true });
});
