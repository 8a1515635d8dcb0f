import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { Catalog } from '../../../../../deploy/local/spanner/engine/catalog.ts';
import type { Database } from '../../../../../deploy/local/spanner/engine/database.ts';
import { snapshotRecords } from '../../../../../deploy/local/spanner/engine/snapshot-records.ts';
import type { JournalRecord } from '../../../../../deploy/local/spanner/storage/journal-record.ts';
import { decodeRecord, encodeRecord } from '../../../../../deploy/local/spanner/storage/journal-record.ts';
import { keys, NAME, openDatabase, read, remove, write } from '../open-database.ts';

const SCHEMA = ['CREATE TABLE T (K INT64 NOT NULL, V STRING(MAX)) PRIMARY KEY (K)', 'CREATE INDEX ByV ON T (V)'];
const HOUR_MS = 3_600_000;

const change = fc.record({
  key: fc.bigInt({ min: 0n, max: 5n }),
  value: fc.option(fc.constantFrom('a', 'b', 'c')),
  wait: fc.integer({ min: 0, max: 3 }),
});

test('every timestamp shows the rows as they were then, through the table and through the index', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30, size: 'max' }), async (changes) => {
      const clock = { now: 1_700_000_000_000 };
      const { database } = await openDatabase(SCHEMA, { clock });
      const model = new Map<bigint, string>();
      const snapshots: [timestamp: number, rows: string][] = [];
      for (const { key, value, wait } of changes) {
        clock.now += wait;
        const { timestamp } = await database.commit({
          mutations: [value === null ? remove('T', [key]) : write('insertOrUpdate', 'T', { K: key, V: value })],
        });
        if (value === null) model.delete(key);
        else model.set(key, value);
        snapshots.push([timestamp, print([...model])]);
      }
      for (const [timestamp, rows] of snapshots) {
        assert.equal(print(rowsAt(database, timestamp)), rows);
        assert.equal(print(rowsAt(database, timestamp, 'ByV')), rows);
      }
    }),
    { numRuns: 60 },
  );
});

test('versions past the retention are dropped, those within it are not', async () => {
  const clock = { now: 1_700_000_000_000 };
  const { database } = await openDatabase(SCHEMA, { clock });
  const set = (V: string): Promise<{ timestamp: number }> =>
    database.commit({ mutations: [write('insertOrUpdate', 'T', { K: 1n, V })] });
  await set('a');
  const { timestamp } = await set('b');
  await set('c');
  clock.now += HOUR_MS - 1000;
  await database.commit({ mutations: [remove('T', [1n])] });
  assert.ok(database.supersededCount > 0);
  assert.deepEqual(rowsAt(database, timestamp), [[1n, 'b']]);
  clock.now += 2000;
  database.collect();
  assert.deepEqual(rowsAt(database, database.horizon), [[1n, 'c']]);
  clock.now += HOUR_MS;
  database.collect();
  assert.equal(database.supersededCount, 0);
  assert.equal(database.stores.tables.get('t')?.rows.size, 0);
  assert.equal(database.stores.indexes.get('byv')?.rows.size, 0);
});

test('a reading transaction is not disturbed by what is written behind the limit of its read', async () => {
  const { database, transactions } = await openDatabase(SCHEMA);
  await database.commit({ mutations: [write('insert', 'T', { K: 1n }, { K: 2n }, { K: 3n })] });
  const first = transactions.begin('s');
  const { snapshot } = transactions.viewOf(first);
  read(database, { table: 'T', columns: ['K'], limit: 1 }, { timestamp: snapshot, readSet: first.readSet });
  await database.commit({ mutations: [write('update', 'T', { K: 2n, V: 'new' })] });
  await transactions.commit(first.id, 's', [write('update', 'T', { K: 1n, V: 'first' })]);
  assert.deepEqual(read(database, { table: 'T', columns: ['V'], keySet: keys([1n]) }), [['first']]);
});

test('a commit repeated gives its first outcome again, and is not done twice', async () => {
  const { database, transactions } = await openDatabase(SCHEMA);
  const { id } = transactions.begin('s');
  const mutations = [write('insert', 'T', { K: 1n })];
  const [one, two] = await Promise.all([
    transactions.commit(id, 's', mutations),
    transactions.commit(id, 's', mutations),
  ]);
  assert.deepEqual(await transactions.commit(id, 's', mutations), one);
  assert.deepEqual(two, one);
  assert.equal(rowsAt(database, database.clock.strongRead()).length, 1);
});

test('a transaction that nobody used for a minute is aborted, as is one that the schema changed under', async () => {
  const clock = { now: 1_700_000_000_000 };
  const { database, transactions } = await openDatabase(SCHEMA, { clock });
  const idle = transactions.begin('s');
  clock.now += 61_000;
  transactions.expire();
  await assert.rejects(transactions.commit(idle.id, 's', []), { code: status.ABORTED });
  const reading = transactions.begin('s');
  transactions.viewOf(reading);
  await database.changeSchema('CREATE TABLE U (K INT64) PRIMARY KEY (K)');
  await assert.rejects(transactions.commit(reading.id, 's', []), { code: status.ABORTED });
});

test('a schema change refuses rows that do not fit, and rewrites those that do', async () => {
  const { database } = await openDatabase([
    ...SCHEMA,
    'ALTER TABLE T ADD COLUMN W STRING(MAX)',
    'ALTER TABLE T ADD COLUMN X INT64',
  ]);
  await database.commit({
    mutations: [write('insert', 'T', { K: 1n, V: 'same', W: 'long', X: 1n }, { K: 2n, V: 'same', X: 2n })],
  });
  const refused = { code: status.FAILED_PRECONDITION };
  await assert.rejects(database.changeSchema('ALTER TABLE T ALTER COLUMN W STRING(MAX) NOT NULL'), refused);
  await assert.rejects(database.changeSchema('ALTER TABLE T ALTER COLUMN W STRING(3)'), refused);
  await assert.rejects(database.changeSchema('CREATE UNIQUE INDEX Uq ON T (V)'), refused);
  assert.deepEqual([...database.stores.indexes.keys()], ['byv']);
  await database.changeSchema('ALTER TABLE T DROP COLUMN W');
  assert.deepEqual(read(database, { table: 'T', columns: ['K', 'X'] }), [
    [1n, 1n],
    [2n, 2n],
  ]);
  await database.commit({ mutations: [write('update', 'T', { K: 1n, V: 'other' })] });
  assert.deepEqual(read(database, { table: 'T', index: 'ByV', columns: ['V', 'K'] }), [
    ['other', 1n],
    ['same', 2n],
  ]);
});

test('a database is the same after its journal is replayed, in all its versions', async () => {
  const journal: JournalRecord[] = [];
  const clock = { now: 1_700_000_000_000 };
  const { database } = await openDatabase(SCHEMA, { clock, journal });
  const { timestamp } = await database.commit({
    mutations: [write('insert', 'T', { K: 1n, V: 'a' }, { K: 2n, V: 'b' })],
  });
  await database.changeSchema('ALTER TABLE T ADD COLUMN B BYTES(MAX) DEFAULT (NULL)');
  await database.changeSchema('ALTER TABLE T ADD COLUMN S STRING(36) NOT NULL DEFAULT (GENERATE_UUID())');
  await database.commit({ mutations: [remove('T', [1n]), write('insert', 'T', { K: 3n, V: 'c', B: 'AAEC' })] });
  const catalog = new Catalog({
    now: () => clock.now,
    evaluate: async () => null,
    compileTable: async () => ({ key: undefined, row: undefined }),
    append: () => assert.fail('written again'),
  });
  for (const record of journal) catalog.replay(decodeRecord(encodeRecord(record)));
  const restored = catalog.database(NAME).database;
  const columns = ['K', 'V', 'B', 'S'];
  assert.deepEqual(read(restored, { table: 'T', columns }), read(database, { table: 'T', columns }));
  assert.deepEqual(rowsAt(restored, timestamp, 'ByV'), rowsAt(database, timestamp, 'ByV'));
  assert.ok(restored.clock.nextCommit() > database.clock.lastCommit);
});

test('a compacted journal gives the same database in all versions kept, and remembers who committed', async () => {
  const clock = { now: 1_700_000_000_000 };
  const journal: JournalRecord[] = [];
  const catalog = new Catalog({
    now: () => clock.now,
    evaluate: async () => null,
    compileTable: async () => ({ key: undefined, row: undefined }),
    append: (record) => journal.push(record),
  });
  catalog.record({ kind: 'instance', name: 'projects/p/instances/i', config: 'c', displayName: 'I' });
  catalog.record({ kind: 'database', name: NAME, createdAt: catalog.nowMicros() });
  catalog.record({ kind: 'session', name: `${NAME}/sessions/s`, multiplexed: true, createdAt: clock.now });
  const { database, transactions } = catalog.database(NAME);
  for (const statement of SCHEMA) await database.changeSchema(statement);
  for (let i = 0n; i < 50n; i++)
    await database.commit({ mutations: [write('insertOrUpdate', 'T', { K: i % 5n, V: `v${i}` })] });
  clock.now += HOUR_MS + 1000;
  const { id } = transactions.begin('s');
  const { timestamp } = await transactions.commit(id, 's', [
    write('update', 'T', { K: 1n, V: 'new' }),
    remove('T', [2n]),
  ]);
  await database.commit({ mutations: [write('update', 'T', { K: 1n, V: 'newest' })] });
  const compacted = [...snapshotRecords(catalog)];
  assert.ok(compacted.length < journal.length / 4, `${compacted.length} of ${journal.length} records`);
  const again = new Catalog({
    now: () => clock.now,
    evaluate: async () => null,
    compileTable: async () => ({ key: undefined, row: undefined }),
    append: () => undefined,
  });
  for (const record of compacted) again.replay(decodeRecord(encodeRecord(record)));
  const restored = again.database(NAME);
  for (const at of [timestamp - 1, timestamp, database.clock.lastCommit]) {
    assert.deepEqual(rowsAt(restored.database, at, 'ByV'), rowsAt(database, at, 'ByV'));
  }
  assert.equal((await restored.transactions.commit(id, 's', [])).timestamp, timestamp);
  assert.deepEqual([...again.sessions], [...catalog.sessions]);
  assert.deepEqual([...again.instances.keys()], [...catalog.instances.keys()]);
});

function rowsAt(database: Database, timestamp: number, index = ''): unknown[][] {
  return read(database, { table: 'T', index, columns: ['K', 'V'] }, { timestamp });
}

function print(rows: readonly (readonly unknown[])[]): string {
  return rows
    .map((row) => row.join('='))
    .sort()
    .join(' ');
}

test('a unique index looks at the rows that are there, not at what they once were', async () => {
  const { database } = await openDatabase(['CREATE TABLE T (K INT64, V INT64) PRIMARY KEY (K)']);
  await database.commit({ mutations: [write('insert', 'T', { K: 1n, V: 7n }, { K: 2n, V: 7n })] });
  await database.commit({ mutations: [write('update', 'T', { K: 2n, V: 8n })] });
  await database.changeSchema('CREATE UNIQUE INDEX ByV ON T (V)');
  await assert.rejects(database.commit({ mutations: [write('insert', 'T', { K: 3n, V: 8n })] }), /index ByV/);
  await database.changeSchema('DROP INDEX ByV');
  await database.commit({ mutations: [write('insert', 'T', { K: 3n, V: 8n })] });
  await assert.rejects(database.changeSchema('CREATE UNIQUE INDEX ByV ON T (V)'), /Cannot build the index/);
});
