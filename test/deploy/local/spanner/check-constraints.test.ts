import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { connect, type OpenClient, objects, openClient } from './open-client.ts';

const SCHEMA = [
  `CREATE TABLE Flights (
     Id INT64 NOT NULL,
     Leg STRING(9) NOT NULL,
     Delay INT64,
     Distance INT64,
     Late BOOL AS (Delay > 15) STORED,
     CONSTRAINT DelayInDay CHECK (Delay BETWEEN -1440 AND 1440),
     CHECK (Distance > 0 OR Delay IS NULL),
     CONSTRAINT NotLateAtZero CHECK (NOT Late OR Distance != 1),
   ) PRIMARY KEY (Id, Leg DESC)`,
];

let client: OpenClient;

before(async () => {
  client = await openClient(SCHEMA);
});

after(() => client.close());

async function change(statement: string): Promise<void> {
  const [operation] = await client.database.updateSchema(statement);
  await operation.promise();
}

async function ids(): Promise<unknown[]> {
  const [rows] = await client.database.run('SELECT Id FROM Flights ORDER BY Id');
  return objects(rows).map((row) => (row as { Id: number }).Id);
}

test('a CHECK that a row makes FALSE fails its commit and names constraint and key', async () => {
  const table = client.database.table('Flights');
  await assert.rejects(
    table.insert([
      { Id: 1, Leg: 'a', Delay: 5, Distance: 10 },
      { Id: 2, Leg: 'b', Delay: 1441, Distance: 10 },
    ]),
    {
      code: status.OUT_OF_RANGE,
      message: /Check constraint `Flights`\.`DelayInDay` is violated for key \(2,b\)$/,
    },
  );
  await assert.rejects(table.insert({ Id: 3, Leg: 'a', Delay: 5, Distance: -1 }), {
    code: status.OUT_OF_RANGE,
    message: /`Flights`\.`CK_Flights_[0-9A-F]{16}_1` is violated for key \(3,a\)$/,
  });
  assert.deepEqual(await ids(), []);
});

test('a CHECK that gives NULL passes', async () => {
  const table = client.database.table('Flights');
  await table.insert([
    { Id: 10, Leg: 'a', Delay: null, Distance: -5 },
    { Id: 11, Leg: 'a', Delay: 7, Distance: null },
  ]);
  assert.deepEqual(await ids(), [10, 11]);
  await table.deleteRows([
    ['10', 'a'],
    ['11', 'a'],
  ]);
});

test('a CHECK holds for the whole row when an update writes a part of it, and over generated columns', async () => {
  const table = client.database.table('Flights');
  await table.insert({ Id: 20, Leg: 'a', Delay: 100, Distance: 10 });
  await assert.rejects(table.update({ Id: 20, Leg: 'a', Distance: 1 }), { message: /`NotLateAtZero` is violated/ });
  await table.update({ Id: 20, Leg: 'a', Distance: 2 });
  await table.deleteRows([['20', 'a']]);
});

test('a CHECK looks at what a commit leaves, not at the states between its mutations', async () => {
  const { database } = client;
  await database.runTransactionAsync(async (transaction) => {
    transaction.insert('Flights', { Id: 30, Leg: 'a', Delay: 9999, Distance: 1 });
    transaction.update('Flights', { Id: 30, Leg: 'a', Delay: 1 });
    await transaction.commit();
  });
  await database.runTransactionAsync(async (transaction) => {
    transaction.insert('Flights', { Id: 31, Leg: 'a', Delay: 9999, Distance: 1 });
    transaction.deleteRows('Flights', [['31', 'a']]);
    await transaction.commit();
  });
  assert.deepEqual(await ids(), [30]);
  await database.table('Flights').deleteRows([['30', 'a']]);
});

test('ALTER TABLE adds a CHECK only where every row there is passes it, and drops it by name', async () => {
  const table = client.database.table('Flights');
  await table.insert(Array.from({ length: 50 }, (_, Id) => ({ Id: Id + 100, Leg: 'x', Delay: Id, Distance: 10 })));
  await assert.rejects(change('ALTER TABLE Flights ADD CONSTRAINT Short CHECK (Delay < 49)'), {
    code: status.OUT_OF_RANGE,
    message: /`Flights`\.`Short` is violated for key \(149,x\)$/,
  });
  await change('ALTER TABLE Flights ADD CONSTRAINT Short CHECK (Delay < 50)');
  await assert.rejects(table.update({ Id: 100, Leg: 'x', Delay: 50 }), { message: /`Short` is violated/ });
  await assert.rejects(change('ALTER TABLE Flights ADD CONSTRAINT short CHECK (Delay < 60)'), {
    code: status.FAILED_PRECONDITION,
    message: /Duplicate name in schema: short/,
  });
  await assert.rejects(change('ALTER TABLE Flights DROP COLUMN Distance'), { code: status.FAILED_PRECONDITION });
  await assert.rejects(change('ALTER TABLE Flights DROP CONSTRAINT Nothing'), { code: status.NOT_FOUND });
  await change('ALTER TABLE Flights DROP CONSTRAINT Short');
  await table.update({ Id: 100, Leg: 'x', Delay: 50 });
});

test('a CHECK that cannot hold for a row by itself is refused', async () => {
  const create = (expression: string): Promise<unknown> =>
    client.database.updateSchema(
      `CREATE TABLE Bad (K INT64, C TIMESTAMP OPTIONS (allow_commit_timestamp = true), CONSTRAINT Ck CHECK (${expression})) PRIMARY KEY (K)`,
    );
  const cases: readonly [string, status, RegExp][] = [
    ['Nope > 0', status.INVALID_ARGUMENT, /check constraint Bad\.Ck: Unrecognized name: Nope/],
    ['K + 1', status.INVALID_ARGUMENT, /is INT64: it must be BOOL/],
    ['TRUE', status.INVALID_ARGUMENT, /uses no column/],
    ['K IN (SELECT 1)', status.FAILED_PRECONDITION, /subquery/],
    ['K > RAND()', status.FAILED_PRECONDITION, /non-deterministic/],
    ['C IS NULL', status.FAILED_PRECONDITION, /must not use C/],
  ];
  for (const [expression, code, message] of cases)
    await assert.rejects(create(expression), { code, message }, expression);
});

test('INFORMATION_SCHEMA lists CHECK constraints with their clauses and columns', async () => {
  const [rows] = await client.database.run(
    `SELECT c.constraint_name, c.check_clause, t.table_name, t.constraint_type,
       ARRAY(SELECT column_name FROM information_schema.constraint_column_usage u
             WHERE u.constraint_name = c.constraint_name ORDER BY 1) AS columns
     FROM information_schema.check_constraints c JOIN information_schema.table_constraints t USING (constraint_name)
     WHERE c.constraint_name IN ('DelayInDay', 'CK_IS_NOT_NULL_Flights_Id') ORDER BY 1`,
  );
  assert.deepEqual(objects(rows), [
    {
      constraint_name: 'CK_IS_NOT_NULL_Flights_Id',
      check_clause: 'Id IS NOT NULL',
      table_name: 'Flights',
      constraint_type: 'CHECK',
      columns: ['Id'],
    },
    {
      constraint_name: 'DelayInDay',
      check_clause: 'Delay BETWEEN -1440 AND 1440',
      table_name: 'Flights',
      constraint_type: 'CHECK',
      columns: ['Delay'],
    },
  ]);
});

test('constraints and generated columns stand again after a restart', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'spanner-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const first = await openClient(SCHEMA, { dir });
  let isOpen = true;
  t.after(() => (isOpen ? first.close() : undefined));
  await first.database.table('Flights').insert({ Id: 1, Leg: 'a', Delay: 20, Distance: 3 });
  const [operation] = await first.database.updateSchema('ALTER TABLE Flights ADD COLUMN Hours FLOAT64 AS (Delay / 60)');
  await operation.promise();
  isOpen = false;
  await first.close();
  const server = await openSpannerServer({ dir });
  const spanner = connect(server.address);
  const database = spanner.instance('main').database('flights');
  try {
    await assert.rejects(database.table('Flights').upsert({ Id: 1, Leg: 'a', Delay: 2000 }), { message: /DelayInDay/ });
    await database.table('Flights').upsert({ Id: 2, Leg: 'a', Delay: 30, Distance: 3 });
    const [rows] = await database.run('SELECT Late, CAST(Hours * 6 AS INT64) AS Sixths FROM Flights ORDER BY Id');
    assert.deepEqual(objects(rows), [
      { Late: true, Sixths: 2 },
      { Late: true, Sixths: 3 },
    ]);
  } finally {
    await database.close();
    spanner.close();
    await server.close();
  }
});
