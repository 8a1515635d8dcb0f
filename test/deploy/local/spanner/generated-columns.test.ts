import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { status } from '@grpc/grpc-js';
import { type OpenClient, objects, openClient } from './open-client.ts';

const SCHEMA = [
  `CREATE TABLE Events (
     Id STRING(MAX) NOT NULL,
     Count INT64,
     Twice INT64 NOT NULL AS (IFNULL(Count, 0) * 2) STORED,
     Half FLOAT64 AS (Twice / 4),
     Shard INT64 AS (MOD(ABS(FARM_FINGERPRINT(Id)), 16)) STORED,
   ) PRIMARY KEY (Shard, Id)`,
  'CREATE INDEX ByHalf ON Events (Half DESC)',
  `CREATE TABLE Tickets (
     Id STRING(36) DEFAULT (GENERATE_UUID()),
     At2 TIMESTAMP DEFAULT (CURRENT_TIMESTAMP()),
     Kind STRING(9),
     Note STRING(9),
     Prefix STRING(MAX) AS (CONCAT(SUBSTR(Id, 1, 2), IFNULL(Kind, '-'))) STORED,
     Day DATE AS (DATE(At2, 'UTC')) STORED,
   ) PRIMARY KEY (Prefix, Id)`,
  'CREATE TABLE Ratios (K INT64, N INT64, M INT64, Ratio FLOAT64 AS (N / M) STORED, Need INT64 NOT NULL AS (N) STORED) PRIMARY KEY (K)',
];

let client: OpenClient;

before(async () => {
  client = await openClient(SCHEMA);
});

after(() => client.close());

async function rowsOf(sql: string): Promise<unknown[]> {
  const [rows] = await client.database.run(sql);
  return objects(rows);
}

test('generated columns follow what they are made of, in keys, in each other and in indexes', async () => {
  const table = client.database.table('Events');
  await table.insert([
    { Id: 'a', Count: 3 },
    { Id: 'b', Count: null },
  ]);
  await table.upsert({ Id: 'a', Count: 5 });
  assert.deepEqual(await rowsOf('SELECT Id, Count, Twice, Half, Shard FROM Events ORDER BY Id'), [
    { Id: 'a', Count: 5, Twice: 10, Half: 2.5, Shard: 13 },
    { Id: 'b', Count: null, Twice: 0, Half: 0, Shard: 10 },
  ]);
  const [byKey] = await table.read({ columns: ['Twice'], keys: [['13', 'a']] });
  assert.deepEqual(objects(byKey), [{ Twice: 10 }]);
  const [byIndex] = await table.read({ columns: ['Id'], index: 'ByHalf', keySet: { all: true } });
  assert.deepEqual(objects(byIndex), [{ Id: 'a' }, { Id: 'b' }]);
  await table.deleteRows([['13', 'a']]);
  assert.deepEqual(await rowsOf('SELECT Id FROM Events'), [{ Id: 'b' }]);
});

test('what a generated column shows is the last state of its row, also when one commit writes the row twice', async () => {
  const { database } = client;
  await database.runTransactionAsync(async (transaction) => {
    transaction.insert('Events', { Id: 'twice', Count: 1 });
    transaction.update('Events', { Id: 'twice', Count: 8 });
    await transaction.commit();
  });
  assert.deepEqual(await rowsOf("SELECT Count, Twice FROM Events WHERE Id = 'twice'"), [{ Count: 8, Twice: 16 }]);
});

test('transactions that contend for a row leave its generated columns right', async () => {
  const { database, server } = client;
  await database.table('Events').upsert({ Id: 'hot', Count: 0 });
  const [shard] = (await rowsOf("SELECT Shard FROM Events WHERE Id = 'hot'")) as { Shard: number }[];
  server.setAbortRate(0.2, 3);
  const increment = (): Promise<void> =>
    database.runTransactionAsync(async (transaction) => {
      const keys = [[String(shard?.Shard), 'hot']];
      const [[row]] = await transaction.read('Events', { columns: ['Count'], keys, json: true });
      transaction.update('Events', { Id: 'hot', Count: Number((row as { Count: number } | undefined)?.Count) + 1 });
      await transaction.commit();
    });
  await Promise.all(Array.from({ length: 12 }, increment));
  server.setAbortRate(0, 0);
  assert.deepEqual(await rowsOf("SELECT Count, Twice FROM Events WHERE Id = 'hot'"), [{ Count: 12, Twice: 24 }]);
});

test('no mutation writes a generated column; an update may name one of the key', async () => {
  const table = client.database.table('Events');
  const refused = { code: status.FAILED_PRECONDITION, message: /Cannot write into generated column `Events.Twice`\./ };
  await assert.rejects(table.insert({ Id: 'w', Twice: 1 }), refused);
  await assert.rejects(table.upsert({ Id: 'w', Twice: 1 }), refused);
  await assert.rejects(table.replace({ Id: 'w', Twice: 1 }), refused);
  await assert.rejects(table.update({ Id: 'w', Twice: 1 }), refused);
  await assert.rejects(table.insert({ Id: 'w', Shard: 1 }), { message: /generated column `Events.Shard`/ });
  await table.insert({ Id: 'named', Count: 1 });
  const [{ Shard } = { Shard: 0 }] = (await rowsOf("SELECT Shard FROM Events WHERE Id = 'named'")) as {
    Shard: number;
  }[];
  await table.update({ Shard, Id: 'named', Count: 2 });
  await assert.rejects(table.update({ Shard: (Shard + 1) % 16, Id: 'named', Count: 3 }), { code: status.NOT_FOUND });
  assert.deepEqual(await rowsOf("SELECT Twice FROM Events WHERE Id = 'named'"), [{ Twice: 4 }]);
});

test('a key generated from a column outside the key needs that column, or the key, in an update', async () => {
  const table = client.database.table('Tickets');
  await table.insert({ Id: 'abc', Kind: 'x' });
  await table.update({ Id: 'abc', Kind: 'x', Note: 'one' });
  await table.update({ Prefix: 'abx', Id: 'abc', Note: 'two' });
  assert.deepEqual(await rowsOf("SELECT Prefix, Note FROM Tickets WHERE Id = 'abc'"), [{ Prefix: 'abx', Note: 'two' }]);
  await assert.rejects(table.update({ Id: 'abc', Note: 'three' }), {
    code: status.FAILED_PRECONDITION,
    message:
      /For an Update, the value of a generated primary key `Prefix` .* dependent column `Kind` must be specified/,
  });
  await assert.rejects(table.update({ Prefix: 'abx', Id: 'abc', Kind: 'y' }), {
    code: status.FAILED_PRECONDITION,
    message: /generated key column Prefix changes/,
  });
});

test('generated columns stand on defaults that are drawn once for each commit', async () => {
  const rows = Array.from({ length: 40 }, () => ({ Kind: 'k' }));
  await client.database.table('Tickets').insert(rows);
  const [row] = await rowsOf(
    `SELECT COUNT(*) AS n, COUNTIF(Prefix = CONCAT(SUBSTR(Id, 1, 2), 'k') AND Day = DATE(At2, 'UTC')) AS good
     FROM Tickets WHERE Kind = 'k'`,
  );
  assert.deepEqual(row, { n: 40, good: 40 });
});

test('an expression that fails, or gives NULL where none may be, fails the commit as a whole', async () => {
  const table = client.database.table('Ratios');
  await assert.rejects(
    table.insert([
      { K: 1, N: 1, M: 2 },
      { K: 2, N: 1, M: 0 },
    ]),
    { code: status.OUT_OF_RANGE, message: /division by zero/ },
  );
  await assert.rejects(table.insert({ K: 3, M: 1 }), {
    code: status.FAILED_PRECONDITION,
    message: /Need must not be NULL in table Ratios\./,
  });
  assert.deepEqual(await rowsOf('SELECT K FROM Ratios'), []);
});

test('ALTER TABLE adds a generated column to rows that are there, and protects what it is made of', async () => {
  const { database } = client;
  const change = async (statement: string): Promise<void> => {
    const [operation] = await database.updateSchema(statement);
    await operation.promise();
  };
  await change('CREATE TABLE Names (K INT64, Name STRING(20)) PRIMARY KEY (K)');
  await database.table('Names').insert(Array.from({ length: 300 }, (_, K) => ({ K, Name: `n${K}` })));
  await change('ALTER TABLE Names ADD COLUMN Length INT64 NOT NULL AS (LENGTH(Name)) STORED');
  await change('ALTER TABLE Names ADD COLUMN Upper STRING(MAX) AS (UPPER(Name))');
  await change('CREATE UNIQUE INDEX ByUpper ON Names (Upper)');
  assert.deepEqual(await rowsOf("SELECT SUM(Length) AS total, COUNTIF(Upper LIKE 'N%') AS n FROM Names"), [
    { total: 10 * 2 + 90 * 3 + 200 * 4, n: 300 },
  ]);
  await assert.rejects(database.table('Names').insert({ K: 999, Name: 'N7' }), { code: status.ALREADY_EXISTS });
  const refused = { code: status.FAILED_PRECONDITION };
  await assert.rejects(change('ALTER TABLE Names DROP COLUMN Name'), refused);
  await assert.rejects(change('ALTER TABLE Names ALTER COLUMN Name BYTES(20)'), refused);
  await assert.rejects(change('ALTER TABLE Names ALTER COLUMN Length INT64'), refused);
  await assert.rejects(change('ALTER TABLE Names ADD COLUMN Bad INT64 AS (1 / 0) STORED'), /FLOAT64: cast it/);
  await change('DROP INDEX ByUpper');
  await change('ALTER TABLE Names DROP COLUMN Upper');
  const [ddl] = await database.getSchema();
  const printed = ddl.find((statement) => statement.includes('Names'));
  assert.match(printed ?? '', /^ {2}Length INT64 NOT NULL AS \(LENGTH\(Name\)\) STORED,$/m);
});

test('expressions that are wrong or not of their row alone are refused by name', async () => {
  const { database } = client;
  const create = (columns: string, key = 'K'): Promise<unknown> =>
    database.updateSchema(
      `CREATE TABLE Bad (K INT64, N INT64 DEFAULT (1), M INT64, C TIMESTAMP OPTIONS (allow_commit_timestamp = true), ${columns}) PRIMARY KEY (${key})`,
    );
  const cases: readonly [string, status, RegExp, string?][] = [
    ['G INT64 AS (Nope) STORED', status.INVALID_ARGUMENT, /generated column Bad\.G: Unrecognized name: Nope/],
    ["G INT64 AS ('x') STORED", status.INVALID_ARGUMENT, /is INT64, but its expression \('x'\) is STRING/],
    ['G INT64 AS (SUM(K)) STORED', status.INVALID_ARGUMENT, /one row alone|Aggregate function/],
    ['G INT64 AS ((SELECT 1)) STORED', status.FAILED_PRECONDITION, /subquery/],
    ['G FLOAT64 AS (RAND()) STORED', status.FAILED_PRECONDITION, /non-deterministic: RAND/],
    ['G DATE AS (CURRENT_DATE) STORED', status.FAILED_PRECONDITION, /non-deterministic: CURRENT_DATE/],
    ['G INT64 AS (K) STORED DEFAULT (1)', status.FAILED_PRECONDITION, /cannot have a DEFAULT/],
    ['G INT64 NOT NULL AS (K)', status.FAILED_PRECONDITION, /not STORED: it cannot be NOT NULL/],
    ['G INT64 AS (H) STORED, H INT64 AS (G) STORED', status.FAILED_PRECONDITION, /in a circle: G, H/],
    ['G INT64 AS (UNIX_SECONDS(C)) STORED', status.FAILED_PRECONDITION, /must not use C/],
    ['G INT64 AS (K)', status.FAILED_PRECONDITION, /must be STORED/, 'G, K'],
    ['G INT64 AS (N) STORED', status.FAILED_PRECONDITION, /N, which has a DEFAULT/, 'G, K'],
    ['H INT64, G INT64 AS (M + H) STORED', status.FAILED_PRECONDITION, /more than one column outside/, 'G, K'],
    ['H INT64 AS (K) STORED, G INT64 AS (H) STORED', status.FAILED_PRECONDITION, /generated too/, 'G, K'],
  ];
  for (const [columns, code, message, key] of cases)
    await assert.rejects(create(columns, key), { code, message }, columns);
});

test('INFORMATION_SCHEMA.COLUMNS tells generated columns from plain ones', async () => {
  assert.deepEqual(
    await rowsOf(
      `SELECT column_name, is_generated, generation_expression, is_stored FROM information_schema.columns
       WHERE table_name = 'Events' AND column_name IN ('Count', 'Half', 'Shard') ORDER BY 1`,
    ),
    [
      { column_name: 'Count', is_generated: 'NEVER', generation_expression: null, is_stored: null },
      { column_name: 'Half', is_generated: 'ALWAYS', generation_expression: 'Twice / 4', is_stored: 'NO' },
      {
        column_name: 'Shard',
        is_generated: 'ALWAYS',
        generation_expression: 'MOD(ABS(FARM_FINGERPRINT(Id)), 16)',
        is_stored: 'YES',
      },
    ],
  );
});

test('values of every type go into expressions and come back as they were', async () => {
  const { database } = client;
  const types = {
    Bool: 'BOOL',
    Int: 'INT64',
    F32: 'FLOAT32',
    F64: 'FLOAT64',
    Num: 'NUMERIC',
    Str: 'STRING(MAX)',
    Raw: 'BYTES(MAX)',
    Doc: 'JSON',
    Day: 'DATE',
    Time: 'TIMESTAMP',
    Uid: 'UUID',
    Texts: 'ARRAY<STRING(MAX)>',
    Ints: 'ARRAY<INT64>',
  };
  const columns = Object.entries(types).map(
    ([name, type]) => `${name} ${type}, ${name}Copy ${type} AS (IF(K > 0, ${name}, NULL)) STORED`,
  );
  // A UUID is a string inside SQL: it can only be passed on as it is.
  const own = columns.map((text) => text.replace('IF(K > 0, Uid, NULL)', 'Uid'));
  const [operation] = await database.updateSchema(`CREATE TABLE Types (K INT64, ${own.join(', ')}) PRIMARY KEY (K)`);
  await operation.promise();
  const rows = [
    {
      K: 1,
      Bool: false,
      Int: Spanner.int('-9223372036854775808'),
      F32: Spanner.float32(0.1),
      F64: Spanner.float(Number.NEGATIVE_INFINITY),
      Num: Spanner.numeric('-99999999999999999999999999999.999999999'),
      Str: "ß😀' -- \u0000`",
      Raw: Buffer.from([0, 255, 10]),
      Doc: '{"b":[1,null],"a":12345678901234567890}',
      Day: '0001-01-01',
      Time: '9999-12-31T23:59:59.999999999Z',
      Uid: '0b7cbc5d-0d9b-4b6e-8a4c-3c9fc7d6f001',
      Texts: ['a', null, ''],
      Ints: [],
    },
    { K: 2, ...Object.fromEntries(Object.keys(types).map((name) => [name, null])) },
  ];
  await database.table('Types').insert(rows);
  const both = Object.keys(types).flatMap((name) => [name, `${name}Copy`]);
  const [read] = await database.table('Types').read({ columns: both, keySet: { all: true } });
  assert.equal(read.length, 2);
  // Numbers stay as exact as they came.
  const exact = read.map((row): Record<string, unknown> => row.toJSON({ wrapNumbers: true }));
  for (const row of exact) {
    for (const name of Object.keys(types)) assert.deepEqual(row[`${name}Copy`], row[name], name);
  }
  assert.notEqual(exact[0]?.TimeCopy, null);
});

test('a row that is too large for an expression is refused at once', async () => {
  await assert.rejects(client.database.table('Events').insert({ Id: 'ß'.repeat(2_600_000) }), {
    code: status.UNIMPLEMENTED,
    message: /rows of up to 4000000 bytes/,
  });
  const large = [1_900_000, 2_500_000].map((length, K) => ({ K: K + 5000, Name: 'x'.repeat(length) }));
  const [operation] = await client.database.updateSchema(
    'CREATE TABLE Large (K INT64, Name STRING(MAX), Length INT64 AS (LENGTH(Name)) STORED) PRIMARY KEY (K)',
  );
  await operation.promise();
  await client.database.table('Large').insert(large);
  assert.deepEqual(await rowsOf('SELECT SUM(Length) AS total FROM Large'), [{ total: 4_400_000 }]);
});
