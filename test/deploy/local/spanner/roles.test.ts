import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Database } from '@google-cloud/spanner';
import { openSpannerServer } from '../../../../deploy/local/spanner/server.ts';
import { connect, type OpenClient, objects, openClient } from './open-client.ts';

const SCHEMA = [
  'CREATE TABLE Staff (Id INT64 NOT NULL, Name STRING(9), Pay INT64) PRIMARY KEY (Id)',
  'CREATE TABLE Badges (Id INT64 NOT NULL, Num INT64) PRIMARY KEY (Id, Num), INTERLEAVE IN PARENT Staff ON DELETE CASCADE',
  'CREATE TABLE Secrets (Id INT64) PRIMARY KEY (Id)',
  'CREATE INDEX StaffByName ON Staff (Name) STORING (Pay)',
  'CREATE ROLE reader',
  'GRANT SELECT(Id, Name) ON TABLE Staff TO ROLE reader',
  'CREATE ROLE writer',
  'GRANT INSERT(Id, Name), UPDATE(Id, Name) ON TABLE Staff TO ROLE writer',
  'CREATE ROLE cleaner',
  'GRANT DELETE ON TABLE Staff TO ROLE cleaner',
  'CREATE ROLE inspector',
  'GRANT ROLE reader, spanner_info_reader TO ROLE inspector',
];

let client: OpenClient;
const open: Database[] = [];
before(async () => {
  client = await openClient(SCHEMA);
  await client.database.table('Staff').insert([
    { Id: 1, Name: 'Ada', Pay: 7 },
    { Id: 2, Name: 'Grace', Pay: 8 },
  ]);
  await client.database.table('Badges').insert({ Id: 1, Num: 1 });
});
after(async () => {
  for (const database of open) await database.close().catch(() => {});
  await client.close();
});

/** The official client's view of the database as a role. */
function as(databaseRole: string): Database {
  const database = client.spanner.instance('main').database('flights', { databaseRole });
  database.on('error', () => {});
  open.push(database);
  return database;
}

async function isDenied(work: Promise<unknown>, role: string, table: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof Error && 'code' in error && 'details' in error);
    assert.equal(error.code, 7, error.message);
    assert.equal(error.details, `Role ${role} does not have required privileges on table ${table}.`);
    return true;
  });
}

async function query(database: Database, sql: string): Promise<unknown[]> {
  const [rows] = await database.run({ sql, json: true });
  return objects(rows);
}

test('a read is refused when one of its columns is not granted, over the table and over an index', async () => {
  const database = as('reader');
  const read = (columns: string[], index?: string) =>
    database
      .table('Staff')
      .read({ columns, keySet: { all: true }, json: true, ...(index === undefined ? {} : { index }) });
  assert.equal((await read(['Id', 'Name']))[0].length, 2);
  await isDenied(read(['Id', 'Pay']), 'reader', 'Staff');
  assert.equal((await read(['Name'], 'StaffByName'))[0].length, 2);
  await isDenied(read(['Name', 'Pay'], 'StaffByName'), 'reader', 'Staff');
  await isDenied(database.table('Secrets').read({ columns: ['Id'], keySet: { all: true } }), 'reader', 'Secrets');
  await isDenied(database.table('Badges').read({ columns: ['Id'], keySet: { all: true } }), 'reader', 'Badges');
});

test('a query is refused for every column that it uses, wherever it stands', async () => {
  const database = as('reader');
  assert.deepEqual(await query(database, 'SELECT Name FROM Staff WHERE Id = 1'), [{ Name: 'Ada' }]);
  assert.deepEqual(await query(database, 'SELECT COUNT(*) AS n FROM Staff'), [{ n: 2 }]);
  for (const sql of [
    'SELECT * FROM Staff',
    'SELECT Name FROM Staff WHERE Pay > 7',
    'SELECT Name FROM Staff ORDER BY Pay',
    'SELECT SUM(Pay) FROM Staff',
    'SELECT a.Name FROM Staff AS a JOIN Staff AS b ON a.Id = b.Pay',
    'SELECT Name FROM Staff WHERE EXISTS (SELECT 1 FROM Staff AS s WHERE s.Pay = 8)',
    'WITH x AS (SELECT Pay AS Id FROM Staff) SELECT Id FROM x',
  ]) {
    await isDenied(query(database, sql), 'reader', 'Staff');
  }
  await isDenied(query(database, 'SELECT COUNT(*) FROM Secrets'), 'reader', 'Secrets');
});

test('mutations need the privilege of each thing that they may do, on each column that they name', async () => {
  const writer = as('writer').table('Staff');
  const cleaner = as('cleaner').table('Staff');
  await writer.insert({ Id: 3, Name: 'Alan' });
  await writer.update({ Id: 3, Name: 'Alonzo' });
  await writer.upsert({ Id: 3, Name: 'Edsger' });
  await isDenied(writer.insert({ Id: 4, Name: 'x', Pay: 1 }), 'writer', 'Staff');
  await isDenied(writer.update({ Id: 3, Pay: 1 }), 'writer', 'Staff');
  await isDenied(writer.upsert({ Id: 3, Pay: 1 }), 'writer', 'Staff');
  await isDenied(writer.replace({ Id: 3, Name: 'x' }), 'writer', 'Staff');
  await isDenied(writer.deleteRows([3]), 'writer', 'Staff');
  await isDenied(cleaner.insert({ Id: 5 }), 'cleaner', 'Staff');
  await isDenied(as('reader').table('Staff').update({ Id: 3, Name: 'x' }), 'reader', 'Staff');
  assert.deepEqual(await query(client.database, 'SELECT Name, Pay FROM Staff WHERE Id = 3'), [
    { Name: 'Edsger', Pay: null },
  ]);
  await cleaner.deleteRows([3]);
  // The children go with it, though the role may not delete them by themselves.
  await cleaner.deleteRows([1]);
  assert.deepEqual(await query(client.database, 'SELECT Id FROM Badges'), []);
  await isDenied(
    as('cleaner')
      .table('Badges')
      .deleteRows([[2, 1]]),
    'cleaner',
    'Badges',
  );
  await client.database.table('Staff').insert({ Id: 1, Name: 'Ada', Pay: 7 });
});

test('a read-write transaction is refused at its commit, and nothing of it is written', async () => {
  const work = as('writer').runTransactionAsync(async (transaction) => {
    transaction.insert('Staff', { Id: 9, Name: 'kept?' });
    transaction.insert('Secrets', { Id: 9 });
    await transaction.commit();
  });
  await isDenied(work, 'writer', 'Secrets');
  assert.deepEqual(await query(client.database, 'SELECT Id FROM Staff WHERE Id = 9'), []);
});

test('INFORMATION_SCHEMA shows a role what it has privileges on, and everything to spanner_info_reader', async () => {
  const columns = `SELECT table_name AS t, column_name AS c FROM INFORMATION_SCHEMA.COLUMNS
    WHERE table_schema = '' ORDER BY t, c`;
  assert.deepEqual(await query(as('reader'), columns), [
    { t: 'Staff', c: 'Id' },
    { t: 'Staff', c: 'Name' },
  ]);
  assert.equal((await query(as('inspector'), columns)).length, 6);
  assert.equal((await query(client.database, columns)).length, 6);
  const grants = `SELECT column_name AS c, privilege_type AS p FROM INFORMATION_SCHEMA.COLUMN_PRIVILEGES
    WHERE grantee = 'writer' ORDER BY p, c`;
  assert.deepEqual(await query(client.database, grants), [
    { c: 'Id', p: 'INSERT' },
    { c: 'Name', p: 'INSERT' },
    { c: 'Id', p: 'UPDATE' },
    { c: 'Name', p: 'UPDATE' },
  ]);
  assert.deepEqual(
    await query(client.database, 'SELECT table_name AS t, grantee AS g FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES'),
    [{ t: 'Staff', g: 'cleaner' }],
  );
  const members = 'SELECT role_name AS r FROM INFORMATION_SCHEMA.ROLE_GRANTEES ORDER BY r';
  assert.deepEqual(await query(client.database, members), [{ r: 'reader' }, { r: 'spanner_info_reader' }]);
});

test('the official client lists the roles, the system’s among them', async () => {
  const [roles] = await client.database.getDatabaseRoles();
  const names = roles.map(({ name }) => name?.split('/').at(-1)).sort();
  const system = ['public', 'spanner_info_reader', 'spanner_sys_reader'];
  assert.deepEqual(names, [...system, 'cleaner', 'inspector', 'reader', 'writer'].sort());
});

test('a session of an unknown role is refused, and so is one whose role was dropped', async () => {
  await assert.rejects(as('nobody').run('SELECT 1'), { code: 7, details: 'Role not found: nobody.' });
  const change = async (...statements: string[]) => (await client.database.updateSchema(statements))[0].promise();
  await change('CREATE ROLE passing');
  const passing = as('passing');
  await passing.run('SELECT 1');
  await change('DROP ROLE passing');
  await assert.rejects(passing.run('SELECT 1'), { code: 7, details: 'Role not found: passing.' });
});

test('roles, grants and the role of a session survive a restart', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'spanner-roles-'));
  const first = await openClient(SCHEMA, { dir });
  const [ddl] = await first.database.getSchema();
  await first.close();
  const server = await openSpannerServer({ dir });
  const spanner = connect(server.address);
  const database = spanner.instance('main').database('flights', { databaseRole: 'reader' });
  assert.deepEqual((await database.getSchema())[0], ddl);
  assert.ok(ddl.includes('GRANT SELECT(Id, Name) ON TABLE Staff TO ROLE reader'));
  await isDenied(query(database, 'SELECT Pay FROM Staff'), 'reader', 'Staff');
  await database.close();
  spanner.close();
  await server.close();
  rmSync(dir, { recursive: true });
  connect(client.server.address).close();
});
