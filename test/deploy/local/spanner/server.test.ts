import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Database } from '@google-cloud/spanner';
import { Spanner } from '@google-cloud/spanner';
import { openSpannerServer, type SpannerServer } from '../../../../deploy/local/spanner/server.ts';

let server: SpannerServer;
let spanner: Spanner;
let database: Database;

before(async () => {
  server = await openSpannerServer();
  process.env.SPANNER_EMULATOR_HOST = server.address;
  spanner = new Spanner({ projectId: 'p' });
  const [instance, creation] = await spanner.createInstance('main', {
    config: 'emulator-config',
    nodes: 1,
    displayName: 'Main',
  });
  await creation.promise();
  const [made, operation] = await instance.createDatabase('flights', {
    schema: [
      `CREATE TABLE Flights (Id INT64 NOT NULL, Origin STRING(8), Delay FLOAT64, Tags ARRAY<STRING(MAX)>, SeenAt TIMESTAMP OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (Id)`,
    ],
  });
  await operation.promise();
  database = made;
});

after(async () => {
  await database?.close();
  spanner.close();
  await server.close();
});

test('the official client writes rows by mutations and reads them back', async () => {
  const table = database.table('Flights');
  await table.upsert([
    { Id: 1, Origin: 'ABQ', Delay: 1.5, Tags: ['a', null, 'b'], SeenAt: Spanner.COMMIT_TIMESTAMP },
    { Id: '2', Origin: null, Delay: Number.NaN, Tags: [], SeenAt: null },
  ]);
  const [rows] = await table.read({ columns: ['Id', 'Origin', 'Delay', 'Tags'], keySet: { all: true } });
  assert.deepEqual(
    rows.map((row) => ('toJSON' in row ? row.toJSON() : row)),
    [
      { Id: 1, Origin: 'ABQ', Delay: 1.5, Tags: ['a', null, 'b'] },
      { Id: 2, Origin: null, Delay: Number.NaN, Tags: [] },
    ],
  );
});

test('runTransactionAsync() reads, writes and commits', async () => {
  const timestamp = await database.runTransactionAsync(async (transaction) => {
    const [rows] = await transaction.read('Flights', { columns: ['Delay'], keys: ['1'] });
    assert.equal(rows.length, 1);
    transaction.update('Flights', { Id: '1', Delay: 7.5 });
    const response = await transaction.commit();
    return response;
  });
  assert.ok(timestamp);
  const [rows] = await database.run('SELECT 1');
  assert.equal(rows.length, 1);
});
