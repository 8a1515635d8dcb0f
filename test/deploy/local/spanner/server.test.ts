import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MutationGroup, MutationSet, Spanner } from '@google-cloud/spanner';
import { status } from '@grpc/grpc-js';
import { connect, type OpenClient, objects, openClient } from './open-client.ts';

const SCHEMA = [
  'CREATE TABLE Flights (Id INT64 NOT NULL, Origin STRING(MAX), Delay FLOAT64, Tags ARRAY<STRING(MAX)>, SeenAt TIMESTAMP OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (Id)',
  'CREATE INDEX ByOrigin ON Flights (Origin) STORING (Delay)',
  'CREATE TABLE Counters (Name STRING(20) NOT NULL, Count INT64 NOT NULL) PRIMARY KEY (Name)',
];

let client: OpenClient;
/** Milliseconds that the server's clock is ahead of the real one. */
let aheadMs = 0;

before(async () => {
  client = await openClient(SCHEMA, { now: () => Date.now() + aheadMs });
});

after(async () => {
  await client.close();
});

test('the official client writes rows by mutations and reads them back', async () => {
  const table = client.database.table('Flights');
  await table.upsert([
    { Id: 1, Origin: 'ABQ', Delay: 1.5, Tags: ['a', null, 'b'], SeenAt: Spanner.COMMIT_TIMESTAMP },
    { Id: '2', Origin: null, Delay: Number.NaN, Tags: [], SeenAt: null },
    { Id: Spanner.int('9007199254740993'), Origin: 'ß😀', Delay: Spanner.float(7), Tags: null, SeenAt: null },
  ]);
  const [rows] = await table.read({ columns: ['Id', 'Origin', 'Delay', 'Tags'], keySet: { all: true } });
  assert.equal(rows.length, 3);
  assert.deepEqual(objects(rows.slice(0, 2)), [
    { Id: 1, Origin: 'ABQ', Delay: 1.5, Tags: ['a', null, 'b'] },
    { Id: 2, Origin: null, Delay: Number.NaN, Tags: [] },
  ]);
  const [byIndex] = await table.read({ columns: ['Delay'], index: 'ByOrigin', keys: ['ß😀'] });
  assert.deepEqual(objects(byIndex), [{ Delay: 7 }]);
});

test('concurrent transactions of the official client count right, also when half of all commits are aborted', async () => {
  const { database, server } = client;
  await database.table('Counters').upsert({ Name: 'a', Count: 0 });
  const increment = (): Promise<void> =>
    database.runTransactionAsync(async (transaction) => {
      const [[row]] = await transaction.read('Counters', { columns: ['Count'], keys: ['a'], json: true });
      transaction.update('Counters', { Name: 'a', Count: Number((row as { Count: number } | undefined)?.Count) + 1 });
      await transaction.commit();
    });
  await Promise.all(Array.from({ length: 8 }, increment));
  server.setAbortRate(0.5, 7);
  await Promise.all(Array.from({ length: 8 }, increment));
  server.setAbortRate(0, 0);
  const [rows] = await database.table('Counters').read({ columns: ['Count'], keys: ['a'] });
  assert.deepEqual(objects(rows), [{ Count: 16 }]);
});

test('reads see the past: at a timestamp, at a staleness, and in a read-only transaction', async () => {
  const { database } = client;
  const table = database.table('Counters');
  await table.upsert({ Name: 'past', Count: 1 });
  const [snapshot] = await database.getSnapshot({ returnReadTimestamp: true });
  const readTimestamp = snapshot.readTimestamp;
  assert.ok(readTimestamp);
  aheadMs += 10_000;
  await table.upsert({ Name: 'past', Count: 2 });
  const request = { columns: ['Count'], keys: ['past'] };
  const [inSnapshot] = await snapshot.read('Counters', request);
  assert.deepEqual(objects(inSnapshot), [{ Count: 1 }]);
  snapshot.end();
  const [atTimestamp] = await table.read(request, { readTimestamp });
  assert.deepEqual(objects(atTimestamp), [{ Count: 1 }]);
  const [stale] = await table.read(request, { exactStaleness: 5000 });
  assert.deepEqual(objects(stale), [{ Count: 1 }]);
  const [bounded] = await database.run("SELECT Count FROM Counters WHERE Name = 'past'", { maxStaleness: 5000 });
  assert.deepEqual(objects(bounded), [{ Count: 2 }]);
  aheadMs += 3_600_000;
  await assert.rejects(table.read(request, { readTimestamp }), { code: status.FAILED_PRECONDITION });
});

test('Read takes key ranges with open and closed ends, and a limit', async () => {
  const table = client.database.table('Counters');
  await table.upsert(['r1', 'r2', 'r3', 'r4'].map((Name) => ({ Name, Count: 1 })));
  const names = async (query: Parameters<typeof table.read>[0]): Promise<string> => {
    const [rows] = await table.read({ ...query, json: true });
    return rows.map((row) => String((row as { Name?: string }).Name)).join(' ');
  };
  const columns = ['Name'];
  assert.equal(await names({ columns, ranges: [{ startClosed: ['r1'], endOpen: ['r3'] }] }), 'r1 r2');
  assert.equal(await names({ columns, ranges: [{ startOpen: ['r1'], endClosed: ['r4'] }], limit: 2 }), 'r2 r3');
  assert.equal(await names({ columns, keys: ['r4', 'r1', 'r4', 'nothing'] }), 'r1 r4');
});

test('a cell of 9 MiB comes back whole, and one over 10 MiB is refused', async () => {
  const table = client.database.table('Flights');
  const Tags = [...Array.from({ length: 90 }, (_, i) => `${i}${'é'.repeat(50_000)}`), null, ''];
  await table.upsert({ Id: 77, Tags });
  const [rows] = await table.read({ columns: ['Tags', 'Id'], keys: ['77'] });
  assert.deepEqual(objects(rows), [{ Tags, Id: 77 }]);
  await assert.rejects(table.upsert({ Id: 78, Tags: [...Tags, ...Tags] }), {
    code: status.FAILED_PRECONDITION,
    message: /New value exceeds the maximum size limit/,
  });
  await table.deleteRows(['77']);
});

test('partitions of a read cover every row exactly once', async () => {
  const { database } = client;
  const rows = Array.from({ length: 2000 }, (_, i) => ({ Name: `p${i}`, Count: 1 }));
  await database.table('Counters').upsert(rows);
  const [batch] = await database.createBatchTransaction();
  const [partitions] = await batch.createReadPartitions({
    table: 'Counters',
    columns: ['Name'],
    ranges: [{ startClosed: ['p0'], endOpen: ['pa'] }],
    partitionOptions: { maxPartitions: 4 },
  } as Parameters<typeof batch.createReadPartitions>[0]);
  assert.equal(partitions.length, 4);
  const names: string[] = [];
  for (const partition of partitions) {
    const [part] = await batch.execute(partition as Parameters<typeof batch.execute>[0]);
    for (const row of part) names.push(String((row as { toJSON(): { Name: string } }).toJSON().Name));
  }
  assert.deepEqual(names.sort(), rows.map(({ Name }) => Name).sort());
  await batch.close();
});

test('Data Boost is for reads and queries of partitions alone, and is counted', async () => {
  const { database, server } = client;
  const before = server.boostedCalls();
  const [batch] = await database.createBatchTransaction();
  const read = { table: 'Counters', columns: ['Name'], keys: ['p1', 'p2'], dataBoostEnabled: true };
  const [reads] = await batch.createReadPartitions(read as Parameters<typeof batch.createReadPartitions>[0]);
  const [queries] = await batch.createQueryPartitions({ sql: 'SELECT Name FROM Counters', dataBoostEnabled: true });
  for (const partition of [...reads, ...queries]) {
    const [rows] = await batch.execute(partition as Parameters<typeof batch.execute>[0]);
    assert.ok(rows.length >= 2);
  }
  assert.equal(server.boostedCalls() - before, reads.length + queries.length);
  await batch.close();
  const refused = { code: status.INVALID_ARGUMENT, message: /Data Boost is only for partitions/ };
  await assert.rejects(database.run({ sql: 'SELECT Name FROM Counters', dataBoostEnabled: true }), refused);
  await assert.rejects(
    database.table('Counters').read({ columns: ['Name'], keys: ['p1'], dataBoostEnabled: true }),
    refused,
  );
});

test('BatchWrite commits each group by itself and reports those that fail', async () => {
  const { database } = client;
  const groups = [1, 2].map((count) => {
    const group = new MutationGroup();
    group.insert('Counters', { Name: 'batch', Count: count });
    return group;
  });
  const codes: unknown[] = [];
  const stream = database.batchWriteAtLeastOnce(groups);
  for await (const response of stream) codes.push((response as { status?: { code?: number } }).status?.code);
  assert.deepEqual(codes, [status.OK, status.ALREADY_EXISTS]);
});

test('commit statistics count index entries; mutations written at least once need no transaction', async () => {
  const { database } = client;
  const [response] = await database.runTransactionAsync(async (transaction) => {
    transaction.upsert('Flights', { Id: 500, Origin: 'new' });
    return transaction.commit({ returnCommitStats: true });
  });
  // Two columns and one index entry.
  assert.equal(Number(response.commitStats?.mutationCount), 3);
  const mutations = new MutationSet();
  mutations.deleteRows('Flights', ['500']);
  await database.writeAtLeastOnce(mutations);
  const [rows] = await database.table('Flights').read({ columns: ['Id'], keys: ['500'] });
  assert.deepEqual(rows, []);
});

test('the admin clients list, describe, change and drop databases', async () => {
  const { spanner, database } = client;
  const instance = spanner.instance('main');
  const [made, creation] = await instance.createDatabase('extra');
  await creation.promise();
  const [operation] = await made.updateSchema([
    'CREATE TABLE A (K INT64) PRIMARY KEY (K)',
    'CREATE TABLE B (K INT64) PRIMARY KEY (K)',
  ]);
  await operation.promise();
  const [statements] = await made.getSchema();
  assert.equal(statements.length, 2);
  const [metadata] = await made.getMetadata();
  assert.equal(metadata.versionRetentionPeriod, '3600s');
  const [databases] = await instance.getDatabases();
  assert.deepEqual(databases.map(({ formattedName_ }) => formattedName_.split('/').at(-1)).sort(), [
    'extra',
    'flights',
  ]);
  await assert.rejects(made.updateSchema('CREATE TABLE A (K INT64) PRIMARY KEY (K)'), {
    code: status.FAILED_PRECONDITION,
  });
  await made.delete();
  assert.deepEqual(await made.exists(), [false]);
  assert.deepEqual(await database.exists(), [true]);
  await assert.rejects(instance.createDatabase('flights'), { code: status.ALREADY_EXISTS });
});

test('SELECT runs in a transaction and conflicts with what changes the table that it read', async () => {
  const { database } = client;
  await database.table('Counters').upsert({ Name: 'sql', Count: 1 });
  let attempts = 0;
  await database.runTransactionAsync(async (transaction) => {
    attempts += 1;
    const [rows] = await transaction.run({
      sql: 'SELECT Count FROM Counters WHERE Name = @name',
      params: { name: 'sql' },
      json: true,
    });
    const { Count } = rows[0] as { Count: number };
    if (attempts === 1) await database.table('Counters').upsert({ Name: 'sql', Count: 10 });
    transaction.update('Counters', { Name: 'sql', Count: Count + 1 });
    await transaction.commit();
  });
  assert.equal(attempts, 2);
  const [rows] = await database.run({ sql: "SELECT Count, [1, 2] AS L FROM Counters WHERE Name = 'sql'", json: true });
  assert.deepEqual(rows, [{ Count: 11, L: [1, 2] }]);
  await assert.rejects(
    database.runTransactionAsync(async (transaction) => {
      await transaction.runUpdate("UPDATE Counters SET Count = 0 WHERE Name = 'sql'");
    }),
    { code: status.UNIMPLEMENTED },
  );
});

test('a second client sees what the first wrote; tables and columns that are missing are NOT_FOUND', async () => {
  const second = connect(client.server.address);
  const database = second.instance('main').database('flights');
  const [rows] = await database.table('Counters').read({ columns: ['Name'], keys: ['a'] });
  assert.equal(rows.length, 1);
  await assert.rejects(database.table('Nowhere').read({ columns: ['Name'], keySet: { all: true } }), {
    code: status.NOT_FOUND,
  });
  await assert.rejects(database.table('Counters').read({ columns: ['X'], keySet: { all: true } }), {
    code: status.NOT_FOUND,
  });
  await database.close();
  second.close();
});
