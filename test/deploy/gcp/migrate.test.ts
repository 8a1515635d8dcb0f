import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Database, Spanner } from '@google-cloud/spanner';
import { controlSchema, createOnEmulator, migrate } from '../../../deploy/gcp/migrate.ts';
import { openSpannerServer, type SpannerServer } from '../../../deploy/local/spanner/server.ts';

/** PenstockDeadLetters as it was before letters named the pipeline's version and their redriving. */
const OLD_LETTERS = `CREATE TABLE PenstockDeadLetters (
  Pipeline STRING(128) NOT NULL,
  DeadLetterId STRING(320) NOT NULL,
  Part INT64 NOT NULL,
  Source STRING(16) NOT NULL,
  Topic STRING(256),
  PartitionId INT64,
  RecordOffset INT64,
  EventId STRING(256),
  Class STRING(16) NOT NULL,
  Reason STRING(4096) NOT NULL,
  RecordKey BYTES(MAX),
  RecordValue BYTES(MAX),
  Headers JSON,
  PartCount INT64 NOT NULL,
  ValueBytes INT64 NOT NULL,
  OccurredAt TIMESTAMP,
  RecordedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  RedrivenAt TIMESTAMP OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Pipeline, DeadLetterId, Part)`;

let server: SpannerServer;
let spanner: Spanner;

before(async () => {
  server = await openSpannerServer({});
  process.env.SPANNER_EMULATOR_HOST = server.address;
  process.env.METADATA_SERVER_DETECTION = 'none';
  spanner = new Spanner({ projectId: 'p' });
});

after(async () => {
  spanner.close();
  await server.close();
});

async function openNew(name: string): Promise<Database> {
  await createOnEmulator(spanner, `projects/p/instances/main/databases/${name}`);
  return spanner.instance('main').database(name);
}

test('migrate() creates every control table once; repeated, it has nothing to do', async () => {
  const database = await openNew('fresh');
  const applied = await migrate(database, controlSchema);
  assert.ok(applied.some((statement) => statement.startsWith('CREATE TABLE PenstockDeadLetters')));
  assert.deepEqual(await migrate(database, controlSchema), []);
  await database.close();
});

test('migrate() adds the columns that an older table lacks, and keeps its rows', async () => {
  const database = await openNew('older');
  const [operation] = await database.updateSchema([OLD_LETTERS]);
  await operation.promise();
  const letter = { Pipeline: 'p', DeadLetterId: 'i', Part: 0, Source: 'kafka', Class: 'constraint', Reason: 'r' };
  const recorded = { PartCount: 1, ValueBytes: 0, RecordedAt: 'spanner.commit_timestamp()' };
  await database.table('PenstockDeadLetters').insert([{ ...letter, ...recorded }]);

  const applied = await migrate(database, controlSchema);
  assert.ok(applied.includes('ALTER TABLE PenstockDeadLetters ADD COLUMN PipelineVersion STRING(32)'), applied.join());
  const sql = 'SELECT Reason, PipelineVersion, RedrivenBy, AttemptCount, AttemptedAt FROM PenstockDeadLetters';
  const [rows] = await database.run({ sql, json: true });
  const nothingYet = { PipelineVersion: null, RedrivenBy: null, AttemptCount: null, AttemptedAt: null };
  assert.deepEqual({ ...rows[0] }, { Reason: 'r', ...nothingYet });
  assert.deepEqual(await migrate(database, controlSchema), []);
  await database.close();
});

test('migrate() adds a row deletion policy that is missing, and leaves one that is there', async () => {
  const database = await openNew('kept');
  const wanted = controlSchema
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .filter((statement) => /CREATE TABLE Penstock(DeadLetters|Receipts)/.test(statement))
    .map((statement) => statement.trim());
  const other = wanted.find((statement) => statement.includes('PenstockReceipts'))?.replace('30 DAY', '7 DAY') ?? '';
  const [operation] = await database.updateSchema([OLD_LETTERS, other]);
  await operation.promise();
  const policies = (await migrate(database, wanted.join(';'))).filter((statement) => statement.includes('POLICY'));
  assert.deepEqual(policies, [
    'ALTER TABLE PenstockDeadLetters ADD ROW DELETION POLICY (OLDER_THAN(RecordedAt, INTERVAL 90 DAY))',
  ]);
  await database.close();
});
