import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../../../../../deploy/local/grpc.ts';
import type { Database } from '../../../../../deploy/local/spanner/engine/database.ts';
import type { WireMutation } from '../../../../../deploy/local/spanner/engine/wire-mutation.ts';
import { keys, openDatabase, type Plain, read, remove, wire, write } from '../open-database.ts';

const ORDERS = [
  'CREATE TABLE Customers (Id INT64 NOT NULL, Name STRING(8)) PRIMARY KEY (Id)',
  'CREATE TABLE Orders (Id INT64 NOT NULL, Nr INT64 NOT NULL, Note STRING(MAX)) PRIMARY KEY (Id, Nr DESC), INTERLEAVE IN PARENT Customers ON DELETE CASCADE',
  'CREATE TABLE Invoices (Id INT64 NOT NULL, Sum NUMERIC) PRIMARY KEY (Id), INTERLEAVE IN PARENT Customers ON DELETE NO ACTION',
];

test('insert refuses a row that exists, and nothing of the commit is written', async () => {
  const { database } = await openDatabase(ORDERS);
  await database.commit({ mutations: [write('insert', 'Customers', { Id: 1n, Name: 'one' })] });
  await refuses(database, [write('insert', 'Customers', { Id: 2n }, { Id: 1n })], {
    code: status.ALREADY_EXISTS,
    message: 'Row [1] in table Customers already exists',
  });
  assert.deepEqual(customers(database), [[1n, 'one']]);
});

test('update changes the given columns only, and refuses a row that is missing', async () => {
  const { database } = await openDatabase(ORDERS);
  await database.commit({ mutations: [write('insert', 'Orders', { Id: 1n, Nr: 1n })] }).catch(() => undefined);
  await database.commit({ mutations: [write('insert', 'Customers', { Id: 1n, Name: 'one' })] });
  await database.commit({ mutations: [write('update', 'Customers', { Id: 1n })] });
  assert.deepEqual(customers(database), [[1n, 'one']]);
  await refuses(database, [write('update', 'Customers', { Id: 2n, Name: 'two' })], {
    code: status.NOT_FOUND,
    message: 'Row [2] in table Customers is missing. Row cannot be updated.',
  });
});

test('replace empties the columns that it does not name, insert_or_update keeps them', async () => {
  const { database } = await openDatabase(ORDERS);
  const first = write('insert', 'Customers', { Id: 1n, Name: 'one' }, { Id: 2n, Name: 'two' });
  await database.commit({ mutations: [first] });
  await database.commit({
    mutations: [
      write('replace', 'Customers', { Id: 1n }),
      write('insertOrUpdate', 'Customers', { Id: 2n }, { Id: 3n }),
    ],
  });
  assert.deepEqual(customers(database), [
    [1n, null],
    [2n, 'two'],
    [3n, null],
  ]);
});

test('several mutations of a row in one commit apply in order', async () => {
  const { database } = await openDatabase(ORDERS);
  await database.commit({
    mutations: [
      write('insert', 'Customers', { Id: 1n, Name: 'a' }),
      write('update', 'Customers', { Id: 1n, Name: 'b' }),
      remove('Customers', [1n]),
      write('insert', 'Customers', { Id: 1n, Name: 'c' }),
    ],
  });
  assert.deepEqual(customers(database), [[1n, 'c']]);
  await refuses(database, [remove('Customers', [1n]), write('update', 'Customers', { Id: 1n, Name: 'd' })], {
    code: status.NOT_FOUND,
  });
  assert.deepEqual(customers(database), [[1n, 'c']]);
});

test('delete takes single keys, ranges with open and closed ends, prefixes, and everything', async () => {
  const { database } = await openDatabase(ORDERS);
  const ids = [1n, 2n, 3n, 4n, 5n];
  const rows = ids.map((Id) => ({ Id }));
  const orders = ids.flatMap((Id) => [1n, 2n, 3n].map((Nr) => ({ Id, Nr })));
  await database.commit({ mutations: [write('insert', 'Customers', ...rows), write('insert', 'Orders', ...orders)] });
  const remaining = async (keySet: NonNullable<WireMutation['delete']>['keySet']): Promise<string> => {
    await database.commit({ mutations: [{ delete: { table: 'Orders', keySet: keySet ?? {} } }] });
    return read(database, { table: 'Orders', columns: ['Id', 'Nr'] })
      .map(([id, no]) => `${id}.${no}`)
      .join(' ');
  };
  // Nr is a descending key column: ranges run in key order, from 3 down to 1.
  assert.equal(
    await remaining({ ranges: [{ startClosed: list(1n, 3n), endOpen: list(1n, 1n) }] }),
    '1.1 2.3 2.2 2.1 3.3 3.2 3.1 4.3 4.2 4.1 5.3 5.2 5.1',
  );
  assert.equal(
    await remaining({ ranges: [{ startClosed: list(2n), endClosed: list(2n) }] }),
    '1.1 3.3 3.2 3.1 4.3 4.2 4.1 5.3 5.2 5.1',
  );
  assert.equal(
    await remaining({ ranges: [{ startOpen: list(3n), endClosed: list(5n, 3n) }] }),
    '1.1 3.3 3.2 3.1 5.2 5.1',
  );
  assert.equal(await remaining(keys([3n, 2n], [7n, 7n])), '1.1 3.3 3.1 5.2 5.1');
  assert.equal(await remaining({ all: true }), '');
});

test('an interleaved row needs its parent, also one written just before it', async () => {
  const { database } = await openDatabase(ORDERS);
  await refuses(database, [write('insert', 'Orders', { Id: 1n, Nr: 1n }), write('insert', 'Customers', { Id: 1n })], {
    code: status.NOT_FOUND,
    message: 'Parent row for row [1,1] in table Orders is missing. Row cannot be written.',
  });
  await database.commit({
    mutations: [write('insert', 'Customers', { Id: 1n }), write('insert', 'Orders', { Id: 1n, Nr: 1n })],
  });
  assert.equal(read(database, { table: 'Orders', columns: ['Id'] }).length, 1);
});

test('ON DELETE CASCADE deletes the rows below, NO ACTION refuses while there are any', async () => {
  const { database } = await openDatabase(ORDERS);
  const rows = [
    write('insert', 'Customers', { Id: 1n }, { Id: 11n }),
    write('insert', 'Orders', { Id: 1n, Nr: 1n }, { Id: 11n, Nr: 1n }),
  ];
  await database.commit({ mutations: [...rows, write('insert', 'Invoices', { Id: 11n, Sum: '1.50' })] });
  await database.commit({ mutations: [remove('Customers', [1n])] });
  assert.deepEqual(read(database, { table: 'Orders', columns: ['Id'] }), [[11n]]);
  await refuses(database, [remove('Customers', [11n])], { code: status.FAILED_PRECONDITION });
  assert.deepEqual(read(database, { table: 'Orders', columns: ['Id'] }), [[11n]]);
  await database.commit({ mutations: [remove('Invoices', [11n]), remove('Customers', [11n])] });
  assert.deepEqual(customers(database), []);
});

test('a UNIQUE index refuses what two rows share, but not a swap within one commit', async () => {
  const { database } = await openDatabase([...ORDERS, 'CREATE UNIQUE INDEX ByName ON Customers (Name)']);
  const swap = (a: string, b: string): WireMutation =>
    write('insertOrUpdate', 'Customers', { Id: 1n, Name: a }, { Id: 2n, Name: b });
  await database.commit({ mutations: [swap('a', 'b')] });
  await database.commit({ mutations: [swap('b', 'a')] });
  await refuses(database, [write('insert', 'Customers', { Id: 3n, Name: 'a' })], { code: status.ALREADY_EXISTS });
  assert.deepEqual(read(database, { table: 'Customers', index: 'ByName', columns: ['Name', 'Id'] }), [
    ['a', 2n],
    ['b', 1n],
  ]);
});

test('a NULL_FILTERED index leaves out rows with NULL, and UNIQUE does not count them', async () => {
  const { database } = await openDatabase([
    ...ORDERS,
    'CREATE UNIQUE NULL_FILTERED INDEX ByName ON Customers (Name DESC)',
  ]);
  await database.commit({ mutations: [write('insert', 'Customers', { Id: 1n }, { Id: 2n }, { Id: 3n, Name: 'x' })] });
  assert.deepEqual(read(database, { table: 'Customers', index: 'ByName', columns: ['Id'] }), [[3n]]);
  await database.commit({ mutations: [write('update', 'Customers', { Id: 3n, Name: null }, { Id: 1n, Name: 'y' })] });
  assert.deepEqual(read(database, { table: 'Customers', index: 'ByName', columns: ['Id'] }), [[1n]]);
});

test('an index gives the columns of its key, of the table key and of STORING, and no others', async () => {
  const { database } = await openDatabase([
    'CREATE TABLE F (A INT64 NOT NULL, B STRING(MAX), C STRING(MAX), D STRING(MAX)) PRIMARY KEY (A)',
  ]);
  const rows = [3n, 1n, 2n].map((A) => ({ A, B: 'same', C: `c${A}`, D: 'd' }));
  await database.commit({ mutations: [write('insert', 'F', ...rows)] });
  await database.changeSchema('CREATE INDEX ByB ON F (B DESC) STORING (C)');
  const spec = { table: 'F', index: 'ByB', keySet: keys(['same']) };
  assert.deepEqual(read(database, { ...spec, columns: ['C', 'A'], limit: 2 }), [
    ['c1', 1n],
    ['c2', 2n],
  ]);
  assert.throws(() => read(database, { ...spec, columns: ['D'] }), { code: status.UNIMPLEMENTED });
});

test('a write is refused for what its column cannot hold', async () => {
  const { database } = await openDatabase([
    'CREATE TABLE V (K STRING(MAX) NOT NULL, I INT64, F FLOAT64, N NUMERIC, S STRING(3), Y BYTES(2), J JSON, D DATE, T TIMESTAMP, B BOOL, L ARRAY<STRING(2)>, R STRING(MAX) NOT NULL) PRIMARY KEY (K)',
  ]);
  const bad: Readonly<Record<string, readonly Plain[]>> = {
    I: ['1.5', '9223372036854775808', '-9223372036854775809', 1, true, '', '1e3'],
    F: ['1.5', '+Infinity', 'nan', false],
    N: ['1e30', '0.0000000001', 'x', '', '1.', 5].slice(0, 4),
    S: ['abcd', 5],
    Y: ['AAAA', 'A', '!!!!', 'AAA'],
    J: ['{', '{"a":1,}', '', 'NaN'],
    D: ['2024-02-30', '2024-13-01', '24-01-01', '0000-01-01', '2024-01-01T00:00:00Z'],
    T: [
      '2024-01-01',
      '2024-01-01T00:00:00',
      '2024-01-01T00:00:00+01:00',
      '2024-02-30T00:00:00Z',
      '2024-01-01T24:00:00Z',
      '2024-01-01T00:00:00.1234567890Z',
      'spanner.commit_timestamp()',
    ],
    B: ['true', 1],
    L: [['abc'], 'ab', [1]],
  };
  for (const [column, values] of Object.entries(bad)) {
    for (const value of values) {
      await refuses(database, [write('insert', 'V', { K: 'k', R: '', [column]: value })], {
        code: status.FAILED_PRECONDITION,
      });
    }
  }
  await refuses(database, [write('insert', 'V', { K: 'k' })], { code: status.FAILED_PRECONDITION });
  await refuses(database, [write('insert', 'V', { K: 'k', R: null })], { code: status.FAILED_PRECONDITION });
  await refuses(database, [write('insert', 'V', { K: 'k'.repeat(8200), R: '' })], { code: status.FAILED_PRECONDITION });
  await refuses(database, [write('insert', 'V', { K: 'k', R: 'x'.repeat(2_621_441) })], {
    code: status.FAILED_PRECONDITION,
  });
  await refuses(database, [write('insert', 'V', { K: 'k', X: '' })], {
    code: status.NOT_FOUND,
    message: 'Column not found in table V: X',
  });
  await refuses(database, [write('insert', 'W', { K: 'k' })], {
    code: status.NOT_FOUND,
    message: 'Table not found: W',
  });
  await refuses(database, [{ insert: { table: 'V', columns: ['K', 'k'], values: [] } }], {
    code: status.INVALID_ARGUMENT,
  });
  await refuses(database, [{ insert: { table: 'V', columns: ['K'], values: [{ values: [] }] } }], {
    code: status.INVALID_ARGUMENT,
  });
  await refuses(database, [{}], { code: status.INVALID_ARGUMENT });
});

test('values are kept in their canonical forms', async () => {
  const { database } = await openDatabase([
    'CREATE TABLE V (K INT64 NOT NULL, N NUMERIC, J JSON, D DATE, T TIMESTAMP, F FLOAT64, S STRING(2)) PRIMARY KEY (K)',
  ]);
  const J = '{ "b": [1, 2.50, 12345678901234567], "a": null }';
  await database.commit({
    mutations: [
      write('insert', 'V', {
        K: 1n,
        N: '+0012.50e1',
        J,
        D: '2024-2-9',
        T: '0001-01-01T00:00:00.000000001Z',
        F: 'NaN',
        S: '😀é',
      }),
    ],
  });
  assert.deepEqual(read(database, { table: 'V', columns: ['N', 'J', 'D', 'T', 'F', 'S'] }), [
    ['125', '{"a":null,"b":[1,2.5,12345678901234567]}', '2024-02-09', -62135596799999999999n, Number.NaN, '😀é'],
  ]);
});

test('the commit timestamp goes where it is allowed, and commits never share one', async () => {
  const clock = { now: 1_700_000_000_000 };
  const { database } = await openDatabase(
    ['CREATE TABLE E (K INT64 NOT NULL, T TIMESTAMP OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (K)'],
    { clock },
  );
  const timestamps: number[] = [];
  for (const K of [1n, 2n, 3n]) {
    const { timestamp } = await database.commit({
      mutations: [write('insert', 'E', { K, T: 'spanner.commit_timestamp()' })],
    });
    timestamps.push(timestamp);
    // A clock that goes backwards must not take commits with it.
    clock.now -= 5000;
  }
  assert.deepEqual(
    timestamps,
    [...new Set(timestamps)].sort((a, b) => a - b),
  );
  assert.deepEqual(
    read(database, { table: 'E', columns: ['T'] }),
    timestamps.map((micros) => [BigInt(micros) * 1000n]),
  );
  await refuses(database, [write('insert', 'E', { K: 9n, T: '2999-01-01T00:00:00Z' })], {
    code: status.FAILED_PRECONDITION,
  });
});

test('DEFAULT fills what an insert leaves out, also in rows that were there before the column', async () => {
  const { database } = await openDatabase([
    "CREATE TABLE D (K STRING(36) NOT NULL DEFAULT (GENERATE_UUID()), N INT64 NOT NULL DEFAULT (7), S STRING(9) DEFAULT ('none')) PRIMARY KEY (K)",
  ]);
  await database.commit({ mutations: [write('insert', 'D', { S: null }, { S: 'x' })] });
  await database.commit({ mutations: [write('insertOrUpdate', 'D', { K: 'k', N: 8n })] });
  await database.commit({ mutations: [write('insertOrUpdate', 'D', { K: 'k' })] });
  await database.changeSchema('ALTER TABLE D ADD COLUMN B BOOL NOT NULL DEFAULT (TRUE)');
  const rows = read(database, { table: 'D', columns: ['N', 'S', 'B'] }).map((row) => row.join('/'));
  assert.deepEqual(rows.sort(), ['7//true', '7/x/true', '8/none/true']);
});

test('80,000 mutations are the most of a commit, index entries counted', async () => {
  const { database } = await openDatabase([
    'CREATE TABLE M (A INT64 NOT NULL, B INT64, C INT64, D INT64) PRIMARY KEY (A)',
    'CREATE INDEX ByB ON M (B)',
  ]);
  const rows = (count: number): WireMutation => ({
    insertOrUpdate: {
      table: 'M',
      columns: ['A', 'B', 'C', 'D'],
      values: Array.from({ length: count }, (_, i) => list(BigInt(i), BigInt(i), 1n, 1n)),
    },
  });
  const message = /The transaction contains too many mutations.*Maximum number: 80000/;
  await refuses(database, [rows(16_001)], { code: status.INVALID_ARGUMENT, message });
  assert.equal(read(database, { table: 'M', columns: ['A'] }).length, 0);
  assert.equal((await database.commit({ mutations: [rows(16_000)] })).mutationCount, 80_000);
  const { mutationCount } = await database.commit({
    mutations: [{ delete: { table: 'M', keySet: { ranges: [{ startClosed: list(0n), endOpen: list(10n) }] } } }],
  });
  assert.equal(mutationCount, 11);
});

function customers(database: Database): unknown[][] {
  return read(database, { table: 'Customers', columns: ['Id', 'Name'] });
}

function list(...key: readonly Plain[]): { values: ReturnType<typeof wire>[] } {
  return { values: key.map(wire) };
}

async function refuses(
  database: Database,
  mutations: WireMutation[],
  expected: { code: status; message?: string | RegExp },
): Promise<void> {
  await assert.rejects(database.commit({ mutations }), (error) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, expected.code, `${error.message} for ${JSON.stringify(mutations).slice(0, 200)}`);
    if (typeof expected.message === 'string') assert.equal(error.message, expected.message);
    else if (expected.message) assert.match(error.message, expected.message);
    return true;
  });
}
