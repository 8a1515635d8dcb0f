import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { query } from '../../../deploy/cli/epoch-progress.ts';
import { becomesTrue, waitUntil } from '../../chaos/wait-until.ts';
import { compileJava } from '../clients/java-programs.ts';
import { runProgram } from '../clients/run-program.ts';
import { debeziumArtifacts, kafkaPythonPackages } from '../fetch/artifacts.ts';
import { pythonWith } from '../fetch/python-packages.ts';
import { openProducersRig, type ProducersRig } from './producers-rig.ts';

const CAUGHT_UP_MS = 60_000;
/** Five compressions, each with 400 records and six committed transactions of 50. */
const COUNTED = 3_500;
const ITEM_COLUMNS = ['id', 'name', 'price', 'active', 'seen', 'weight', 'note', 'day', 'made_at'];

const made = (name: string): string => `
CREATE TABLE ${name} (
  RecordKey STRING(64) NOT NULL,
  N INT64 NOT NULL,
  Text STRING(MAX) NOT NULL,
) PRIMARY KEY (RecordKey);`;
const items = (name: string): string => `
CREATE TABLE ${name} (
  id INT64 NOT NULL,
  name STRING(MAX) NOT NULL,
  price NUMERIC,
  active BOOL,
  seen TIMESTAMP,
  weight FLOAT64,
  note STRING(MAX),
  day DATE,
  made_at TIMESTAMP,
  lsn INT64,
) PRIMARY KEY (id);`;

const madePipeline = (name: string, table: string): string => `
  ${name}:
    source: { kafka: { topic: ${name} } }
    format: json
    table: ${table}
    mode: insert
    columns: { RecordKey: { key: true }, N: { field: n }, Text: { field: text } }`;
const itemsPipeline = (name: string, table: string, flattened: boolean): string => `
  ${name}:
    source: { kafka: { topic: ${name} } }
    format: debezium
    debezium: { flattened: ${flattened} }
    keyFormat: debezium
    table: ${table}
    mode: upsert
    guard: lsn
    columns:
      id: { keyField: id }
${ITEM_COLUMNS.slice(1)
  .map((column) => `      ${column}: { field: ${column} }`)
  .join('\n')}
      lsn: { field: ${flattened ? '__lsn' : '__source.lsn'} }`;

let rig: ProducersRig;
before(async () => {
  rig = await openProducersRig({
    topics: ['java-made', 'python-made', 'envelopes', 'flattened'],
    tables: [made('JavaMade'), made('PythonMade'), items('Envelopes'), items('Flattened')].join('\n'),
    pipelines: [
      madePipeline('java-made', 'JavaMade'),
      madePipeline('python-made', 'PythonMade'),
      itemsPipeline('envelopes', 'Envelopes', false),
      itemsPipeline('flattened', 'Flattened', true),
    ].join('\n'),
  });
  rig.startSink();
});
after(() => rig?.close());

async function checkMade(table: string): Promise<void> {
  const count = async (): Promise<number> =>
    Number((await query(rig.database, `SELECT COUNT(*) AS n FROM ${table}`))[0]?.n);
  await waitUntil(`${table} holds what was sent`, async () => (await count()) >= COUNTED, CAUGHT_UP_MS);
  assert.equal(await count(), COUNTED);
  const [odd] = await query(
    rig.database,
    `SELECT COUNTIF(RecordKey LIKE '%aborted%') AS aborted, COUNTIF(Text != REPEAT('tü€😀', MOD(N, 50))) AS damaged FROM ${table}`,
  );
  assert.deepEqual(odd, { aborted: 0, damaged: 0 });
}

test('what Kafka’s own Java client sends, in every compression and in transactions, is in Spanner once', async () => {
  const program = compileJava('ProducerSteps', { sources: join(import.meta.dirname, 'java') });
  try {
    assert.deepEqual(await program.run({ KAFKA_BROKERS: rig.kafka.brokers.join(',') }), { counted: COUNTED });
  } finally {
    program.close();
  }
  await checkMade('JavaMade');
});

test('what librdkafka sends through Python, in every compression and in transactions, is in Spanner once', async () => {
  const program = join(import.meta.dirname, 'python/producer_steps.py');
  const env = { KAFKA_BROKERS: rig.kafka.brokers.join(',') };
  assert.deepEqual(await runProgram(pythonWith(kafkaPythonPackages), [program], env), { counted: COUNTED });
  await checkMade('PythonMade');
});

/** The rows as the program prints those of PostgreSQL. */
async function itemRows(table: string): Promise<(string | null)[][]> {
  const micros = (column: string): string => `FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', ${column}, 'UTC') AS ${column}`;
  const rows = await query(
    rig.database,
    `SELECT CAST(id AS STRING) AS id, name, CAST(price AS STRING) AS price, CAST(active AS STRING) AS active,
      ${micros('seen')}, weight, note, CAST(day AS STRING) AS day, ${micros('made_at')} FROM ${table} ORDER BY ${table}.id`,
  );
  return rows.map((row) => ITEM_COLUMNS.map((column) => (row[column] === null ? null : String(row[column]))));
}

test('Spanner’s tables become what PostgreSQL’s is, which Debezium follows', async () => {
  const program = compileJava('DebeziumSteps', {
    sources: join(import.meta.dirname, 'java'),
    artifacts: debeziumArtifacts,
  });
  let seen: unknown;
  try {
    seen = await program.run({ KAFKA_BROKERS: rig.kafka.brokers.join(',') });
  } finally {
    program.close();
  }
  const { rows, events } = readSeen(seen);
  assert.ok(rows.length > 100 && events > 1_000, `only ${rows.length} rows after ${events} events`);
  for (const table of ['Envelopes', 'Flattened']) {
    const holds = async (): Promise<boolean> => JSON.stringify(await itemRows(table)) === JSON.stringify(rows);
    await becomesTrue(holds, CAUGHT_UP_MS);
    assert.deepEqual(await itemRows(table), rows);
  }
  assert.deepEqual(await query(rig.database, 'SELECT Pipeline, Reason FROM PenstockDeadLetters'), []);
});

function readSeen(seen: unknown): { rows: (string | null)[][]; events: number } {
  assert.ok(typeof seen === 'object' && seen !== null && 'rows' in seen && 'events' in seen, JSON.stringify(seen));
  const { rows, events } = seen;
  assert.ok(Array.isArray(rows) && typeof events === 'object' && events !== null);
  const counts: unknown[] = Object.values(events);
  return {
    rows: rows.map((row: unknown) =>
      Array.isArray(row) ? row.map((cell: unknown) => (cell === null ? null : String(cell))) : [],
    ),
    events: counts.reduce((sum: number, count) => sum + Number(count), 0),
  };
}
