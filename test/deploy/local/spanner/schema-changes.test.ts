import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { type OpenClient, objects, openClient } from './open-client.ts';

const SCHEMA = ['CREATE TABLE Counters (Name STRING(20) NOT NULL, Count INT64) PRIMARY KEY (Name)'];

let client: OpenClient;

before(async () => {
  client = await openClient(SCHEMA);
});

after(() => client.close());

async function change(...statements: string[]): Promise<void> {
  const [operation] = await client.database.updateSchema(statements);
  await operation.promise();
}

async function columns(): Promise<string[]> {
  const [rows] = await client.database.run(
    "SELECT column_name, spanner_type FROM information_schema.columns WHERE table_name = 'Counters' ORDER BY ordinal_position",
  );
  return objects(rows).map((row) => Object.values(row as object).join(' '));
}

test('two workers that add the same column IF NOT EXISTS both succeed, and it is there once', async () => {
  const statement = 'ALTER TABLE Counters ADD COLUMN IF NOT EXISTS Note STRING(MAX)';
  await Promise.all([change(statement), change(statement)]);
  await change(statement);
  assert.deepEqual(await columns(), ['Name STRING(20)', 'Count INT64', 'Note STRING(MAX)']);
});

test('two workers that add the same column: one succeeds, the other hears that it is a duplicate', async () => {
  const statement = 'ALTER TABLE Counters ADD COLUMN Price NUMERIC';
  const outcomes = await Promise.allSettled([change(statement), change(statement)]);
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.code, status.FAILED_PRECONDITION);
  assert.match(refused[0]?.message, /Duplicate column name Counters\.Price/);
});

test('ADD COLUMN takes every type while writers go on, and none of their commits is lost', async () => {
  const { database } = client;
  let isDone = false;
  const writer = async (Name: string): Promise<number> => {
    await database.table('Counters').upsert({ Name, Count: 0 });
    let count = 0;
    while (!isDone) {
      await database.runTransactionAsync(async (transaction) => {
        const [[row]] = await transaction.read('Counters', { columns: ['Count'], keys: [Name], json: true });
        transaction.update('Counters', { Name, Count: Number((row as { Count: number } | undefined)?.Count) + 1 });
        await transaction.commit();
      });
      count += 1;
    }
    return count;
  };
  const names = ['w1', 'w2', 'w3'];
  const writers = Promise.all(names.map(writer));
  const types = ['BOOL', 'FLOAT32', 'FLOAT64', 'JSON', 'DATE', 'TIMESTAMP', 'UUID', 'BYTES(16)', 'ARRAY<STRING(MAX)>'];
  for (const [at, type] of types.entries())
    await change(`ALTER TABLE Counters ADD COLUMN IF NOT EXISTS C${at} ${type}`);
  await change('ALTER TABLE Counters ADD COLUMN Twice INT64 AS (Count * 2) STORED');
  isDone = true;
  const counts = await writers;
  const [rows] = await database.run("SELECT Count, Twice FROM Counters WHERE Name LIKE 'w%' ORDER BY Name");
  assert.deepEqual(
    objects(rows),
    counts.map((Count) => ({ Count, Twice: Count * 2 })),
  );
  assert.deepEqual(
    (await columns()).slice(-types.length - 1, -1),
    types.map((type, at) => `C${at} ${type}`),
  );
});

test('a transaction that has read is ABORTED by a schema change and runs again on the new schema', async () => {
  const { database } = client;
  await database.table('Counters').upsert({ Name: 'seen', Count: 1 });
  let attempts = 0;
  await database.runTransactionAsync(async (transaction) => {
    attempts += 1;
    await transaction.read('Counters', { columns: ['Count'], keys: ['seen'] });
    if (attempts === 1) await change('ALTER TABLE Counters ADD COLUMN Late INT64');
    transaction.update('Counters', { Name: 'seen', Late: 7 });
    await transaction.commit();
  });
  assert.equal(attempts, 2);
  const [rows] = await database.run("SELECT Count, Late FROM Counters WHERE Name = 'seen'");
  assert.deepEqual(objects(rows), [{ Count: 1, Late: 7 }]);
});

test('the operation of a schema change has a name, metadata and an end that clients find again', async () => {
  const { database, spanner } = client;
  const [operation] = await database.updateSchema({
    statements: ['CREATE TABLE A (K INT64) PRIMARY KEY (K)', 'CREATE INDEX ByK ON A (K DESC)'],
    operationId: 'make_a',
  });
  await operation.promise();
  assert.equal(operation.name, `${database.formattedName_}/operations/make_a`);
  const metadata = { statements: [], commitTimestamps: [], database: '', ...operation.metadata };
  assert.equal(metadata.database, database.formattedName_);
  assert.equal(metadata.statements.length, 2);
  assert.equal(metadata.commitTimestamps.length, 2);
  const [operations] = await database.getOperations();
  assert.ok(operations.some(({ name, done }) => name === operation.name && done));
  const admin = spanner.getDatabaseAdminClient();
  const found = await admin.checkUpdateDatabaseDdlProgress(operation.name ?? '');
  assert.equal(found.done, true);
  const again = { statements: ['CREATE TABLE B (K INT64) PRIMARY KEY (K)'], operationId: 'make_a' };
  await assert.rejects(database.updateSchema(again), { code: status.ALREADY_EXISTS });
  const [ddl] = await database.getSchema();
  assert.ok(!ddl.some((statement) => statement.startsWith('CREATE TABLE B')));
});

test('statements before one that fails stay done', async () => {
  await assert.rejects(change('CREATE TABLE First (K INT64) PRIMARY KEY (K)', 'CREATE INDEX I ON Nothing (K)'), {
    code: status.NOT_FOUND,
  });
  const [ddl] = await client.database.getSchema();
  assert.ok(ddl.some((statement) => statement.startsWith('CREATE TABLE First')));
});
