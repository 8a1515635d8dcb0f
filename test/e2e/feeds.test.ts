import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { openStack, type Stack } from '../../deploy/cli/stack/stack.ts';
import { flight } from '../functions/read-shard/feed-stage.ts';

const root = resolve(import.meta.dirname, '../..');
const ROWS = 1_200;
/** More than a plan counts. */
const MANY_ROWS = 21_000;

/** One feed for each way to read a table. */
const DECLARATION = `
spanner: { database: "projects/\${GOOGLE_CLOUD_PROJECT}/instances/main/databases/feeds" }
kafka: { brokers: "\${KAFKA_BROKERS}" }
feeds:
  joined:
    table: Flights
    join:
      origin: { table: Airports, on: { Origin: Iata } }
    transforms:
      latitude: { column: origin.Latitude, as: float32, fillNull: 0 }
      city: { column: origin.City, vocabulary: { maxSize: 9 } }
    label: { column: DelayMinutes, greaterThan: 15 }
    batchRows: 64
    shards: 4
    trainer: { url: "\${TRAINER_URL}" }
  asked:
    sql: |
      SELECT f.FlightId, f.DelayMinutes, f.DistanceMiles, a.Latitude
      FROM Flights AS f JOIN Airports AS a ON a.Iata = f.Origin
    key: [FlightId]
    transforms:
      distance: { column: DistanceMiles, normalise: min-max }
      latitude: { column: Latitude, as: float32 }
    label: { column: DelayMinutes, greaterThan: 15 }
    batchRows: 32
    shards: 4
    trainer: { url: "\${TRAINER_URL}" }
  looked:
    table: Visits
    transforms:
      place: { column: Place, as: float32 }
    label: { column: Place, greaterThan: 500 }
    batchRows: 512
    shards: 4
    trainer: { url: "\${TRAINER_URL}" }
  boosted:
    table: Visits
    where: "Place < 500"
    read: { dataBoost: true }
    transforms:
      place: { column: Place, normalise: mean-variance }
    label: { column: Place, greaterThan: 250 }
    batchRows: 512
    shards: 2
    trainer: { url: "\${TRAINER_URL}" }
`;
const VISITS = `
CREATE TABLE Visits (
  Visitor STRING(16) NOT NULL,
  Visit INT64 NOT NULL,
  Place INT64 NOT NULL,
) PRIMARY KEY (Visitor, Visit DESC);`;

let stack: Stack;
let dir: string;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'penstock-feeds-'));
  writeFileSync(join(dir, 'penstock.yaml'), DECLARATION);
  const tables = await readFile(join(root, 'deploy/local/demo/tables.sql'), 'utf8');
  stack = await openStack({ declaration: DECLARATION, tables: tables + VISITS });
  await stack.database.table('Flights').insert(Array.from({ length: ROWS }, (_, row) => flight(row)));
  const visits = Array.from({ length: MANY_ROWS }, (_, row) => ({
    Visitor: row % 10 === 0 ? `v${row}` : 'everybody',
    Visit: row,
    Place: row % 1_000,
  }));
  while (visits.length > 0) await stack.database.table('Visits').insert(visits.splice(0, 10_000));
  const airport = { Iata: 'ORD', Name: 'Chicago O’Hare', City: 'Chicago', UpdatedAt: '2026-01-01T00:00:00Z' };
  await stack.database
    .table('Airports')
    .insert({ ...airport, Latitude: Spanner.float(41.98), Longitude: Spanner.float(-87.9) });
});

after(async () => {
  await stack.close();
  rmSync(dir, { recursive: true });
});

/** Runs a command as a person would, and reads the object that it prints. */
async function json(...args: string[]) {
  const env = { ...process.env, ...stack.cloud.env, TRAINER_URL: stack.trainer.url };
  const command = [join(root, 'deploy/cli/launch.js'), ...args, '--json', '--config', join(dir, 'penstock.yaml')];
  const child = spawn(process.execPath, command, { env });
  const exit = new Promise<number | null>((settle) => child.on('exit', settle));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  assert.equal(code, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

/** Has an epoch read by the functions and another in the command’s process; @returns the latter's id */
async function deliver(feed: string, rows: number): Promise<string> {
  const byFunctions = await json('epoch', 'start', feed, '--wait');
  const here = await json('epoch', 'start', feed, '--here', '--readers', '2');
  for (const { state, shards } of [byFunctions, here]) {
    assert.equal(state, 'delivered');
    assert.equal(
      shards.reduce((sum: number, shard: { rows: number }) => sum + shard.rows, 0),
      rows,
    );
  }
  // Of the same rows: what the functions made, the command makes again.
  const batches = [byFunctions, here].map(({ epoch }) => json('rebuild', epoch, '1', '2'));
  const [one, other] = await Promise.all(batches);
  assert.equal(one.rows, other.rows);
  return here.epoch;
}

test('a feed with a join is read by the functions and by the command, and its batches name what was joined', async () => {
  const epoch = await deliver('joined', ROWS);
  const account = await json('lineage', epoch, '1', '2');
  assert.deepEqual(account.columns, ['FlightId', 'DelayMinutes', 'Origin', 'origin.Latitude', 'origin.City']);
  assert.deepEqual(account.join[0].on, [{ column: 'Origin', equals: 'Iata' }]);
});

test('a feed by a query is read by the functions and by the command, and its batches name the query', async () => {
  const epoch = await deliver('asked', ROWS / 3);
  const account = await json('lineage', epoch, '1', '2');
  assert.deepEqual(account.columns, ['FlightId', 'DistanceMiles', 'Latitude', 'DelayMinutes']);
  assert.match(account.sql, /JOIN Airports AS a/);
});

test('a feed of a larger table, with nothing to learn, is planned without counting its rows, and delivers each', async () => {
  const epoch = await deliver('looked', MANY_ROWS);
  const shown = await json('epoch', 'show', epoch);
  assert.equal(shown.rowCountIsEstimate, true);
  const sizes: number[] = shown.shards.map(({ rows }: { rows: number }) => rows);
  // Nine of ten rows are under one key.
  assert.ok(Math.max(...sizes) < (MANY_ROWS / 4) * 2, sizes.join(' '));
});

test('a feed on Data Boost is read by partitions, by the functions and by the command', async () => {
  await deliver('boosted', MANY_ROWS / 2);
});
