import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import { openSqlEvaluator } from '../../../../../deploy/local/spanner/sql/evaluator.ts';
import type { QueryParameters } from '../../../../../deploy/local/spanner/sql/parameters.ts';
import type { Cell, ScalarCode, SpannerType } from '../../../../../deploy/local/spanner/values.ts';

const SCALARS =
  'B BOOL, I INT64, F FLOAT32, D FLOAT64, N NUMERIC, S STRING(MAX), Y BYTES(MAX), J JSON, A DATE, T TIMESTAMP, U UUID';
const schema = [
  `CREATE TABLE Every (${SCALARS}, L ARRAY<INT64>, M ARRAY<STRING(MAX)>) PRIMARY KEY (I)`,
  'CREATE TABLE Child (I INT64, C INT64) PRIMARY KEY (I, C)',
  'CREATE INDEX ByS ON Every(S)',
].reduce(applyDdl, emptySchema);

const FULL: readonly Cell[] = [
  true,
  -9_223_372_036_854_775_808n,
  1.5,
  -0.1,
  '-99999999999999999999999999999.999999999',
  'grüße 🚀',
  Buffer.from([0, 255, 1]),
  '{"a":[1,null],"b":"x"}',
  '0001-01-01',
  -62_135_596_800_000_000_001n + 1n,
  '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  [1n, null, -9_007_199_254_740_993n],
  [],
];
const EMPTY: readonly Cell[] = [null, 5n, ...FULL.slice(2).map(() => null)];

const evaluator = await openSqlEvaluator();
after(() => evaluator.close());

async function run(sql: string, params: QueryParameters = {}): Promise<readonly (readonly Cell[])[]> {
  const rows = (table: { name: string }) =>
    table.name === 'Every'
      ? [FULL, EMPTY]
      : [
          [5n, 1n],
          [5n, 2n],
        ];
  return (await evaluator.query({ sql, params, schema, rows })).rows;
}

async function refuses(sql: string, code: status, message: RegExp, params: QueryParameters = {}): Promise<void> {
  await assert.rejects(run(sql, params), (error: { code?: status; message: string }) => {
    assert.equal(error.code, code, `${sql}: ${error.message}`);
    assert.match(error.message, message);
    return true;
  });
}

test('query() gives every type back as it went in, NULLs too', async () => {
  const { fields, rows, tables } = await evaluator.query({
    sql: 'SELECT * FROM every ORDER BY i',
    params: {},
    schema,
    rows: () => [FULL, EMPTY],
  });
  assert.deepEqual(
    fields,
    schema.tables.get('every')?.columns.map(({ name, type }) => ({ name, type })),
  );
  assert.deepEqual(rows, [FULL, EMPTY]);
  assert.deepEqual(tables, ['Every']);
});

test('query() takes parameters of every type, alone and in arrays', async () => {
  const wire: Readonly<Record<ScalarCode, readonly [string | number | boolean, Cell]>> = {
    BOOL: [false, false],
    INT64: ['9223372036854775807', 9_223_372_036_854_775_807n],
    FLOAT32: [1.5, 1.5],
    FLOAT64: ['-Infinity', Number.NEGATIVE_INFINITY],
    NUMERIC: ['-0012.500e1', '-125'],
    STRING: ['', ''],
    BYTES: ['AP8B', Buffer.from([0, 255, 1])],
    JSON: ['{"b": 1, "a": [true]}', '{"a":[true],"b":1}'],
    DATE: ['9999-12-31', '9999-12-31'],
    TIMESTAMP: ['2026-02-28T23:59:59.123456789Z', 1_772_323_199_123_456_789n],
    UUID: ['6BA7B810-9DAD-11D1-80B4-00C04FD430C8', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
  };
  for (const [code, [value, cell]] of Object.entries(wire)) {
    const type = { code: code as ScalarCode };
    const array: SpannerType = { code: 'ARRAY', element: type };
    const rows = await run('SELECT @one, @nothing, @many, @none', {
      one: { type, value },
      nothing: { type, value: null },
      many: { type: array, value: [value, null] },
      none: { type: array, value: null },
    });
    assert.deepEqual(rows, [[cell, null, [cell, null], null]], code);
  }
});

test('query() takes struct parameters and arrays of them', async () => {
  const pair: SpannerType = {
    code: 'STRUCT',
    fields: [
      { name: 'i', type: { code: 'INT64' } },
      { name: 's', type: { code: 'STRING' } },
    ],
  };
  const rows = await run('SELECT @one.s, ARRAY(SELECT AS STRUCT * FROM UNNEST(@many)) AS list', {
    one: { type: pair, value: ['1', 'x'] },
    many: { type: { code: 'ARRAY', element: pair }, value: [['2', 'y'], null, [null, 'z']] },
  });
  assert.deepEqual(rows, [
    [
      'x',
      [
        [2n, 'y'],
        [null, null],
        [null, 'z'],
      ],
    ],
  ]);
});

test('query() infers the types of parameters that come without', async () => {
  const untyped = (value: string | number | boolean | null) => ({ type: undefined, value });
  const rows = await run(
    'SELECT I FROM Every WHERE I = @i AND @flag AND T IS NULL AND @when > TIMESTAMP "2020-01-01"',
    {
      i: untyped('5'),
      flag: untyped(true),
      when: untyped('2020-01-01T08:00:00.000000001Z'),
      unused: untyped('whatever'),
    },
  );
  assert.deepEqual(rows, [[5n]]);
  assert.deepEqual(await run('SELECT @s, @n, @i', { s: untyped('abc'), n: untyped(1.5), i: untyped('7') }), [
    ['abc', 1.5, 7n],
  ]);
  await refuses('SELECT I FROM Every WHERE I = @i', status.INVALID_ARGUMENT, /argument types: INT64, STRING/, {
    i: untyped('x'),
  });
  await refuses('SELECT I + @i FROM Every', status.INVALID_ARGUMENT, /bind parameter i: .*"x" as DATE/, {
    i: { type: { code: 'DATE' }, value: 'x' },
  });
});

test('query() joins, unnests, groups, windows, samples and nests', async () => {
  const cases: readonly [string, readonly (readonly Cell[])[]][] = [
    ['SELECT COUNT(*), COUNT(S), SUM(C) FROM Every JOIN Child USING (I)', [[2n, 0n, 3n]]],
    [
      'SELECT e.I, c.C FROM Every e LEFT JOIN Child c ON c.I = e.I AND c.C = 1 ORDER BY 1',
      [
        [FULL[1] ?? null, null],
        [5n, 1n],
      ],
    ],
    [
      'SELECT x, o FROM UNNEST([3, NULL]) AS x WITH OFFSET AS o ORDER BY o',
      [
        [3n, 0n],
        [null, 1n],
      ],
    ],
    [
      'SELECT C, ROW_NUMBER() OVER (ORDER BY C DESC), SUM(C) OVER () FROM Child ORDER BY C',
      [
        [1n, 2n, 3n],
        [2n, 1n, 3n],
      ],
    ],
    ['SELECT I, ARRAY_AGG(C ORDER BY C DESC) FROM Child GROUP BY I HAVING COUNT(*) > 1', [[5n, [2n, 1n]]]],
    ['WITH big AS (SELECT MAX(C) m FROM Child) SELECT m FROM big UNION ALL SELECT 0 ORDER BY 1', [[0n], [2n]]],
    ['SELECT COUNT(*) FROM Child TABLESAMPLE RESERVOIR (1 ROWS)', [[1n]]],
    ['SELECT I FROM Child WHERE C IN (SELECT C FROM Child LIMIT 1 OFFSET 0) AND EXISTS (SELECT 1 FROM Every)', [[5n]]],
    [
      'SELECT ARRAY(SELECT AS STRUCT I, C AS x FROM Child ORDER BY C)',
      [
        [
          [
            [5n, 1n],
            [5n, 2n],
          ],
        ],
      ],
    ],
    ['@{OPTIMIZER_VERSION=5} SELECT C FROM Child@{FORCE_INDEX=_BASE_TABLE} WHERE C = 1', [[1n]]],
    ['SELECT COUNT(*) FROM Every@{FORCE_INDEX=bys} e JOIN@{JOIN_METHOD=HASH_JOIN} Child c ON e.I = c.I', [[2n]]],
  ];
  for (const [sql, expected] of cases) assert.deepEqual(await run(sql), expected, sql);
});

test('query() knows the functions that others rely on', async () => {
  const cases: readonly [string, Cell][] = [
    ["FARM_FINGERPRINT('')", -7_286_425_919_675_154_353n],
    ["FARM_FINGERPRINT('hello')", -5_436_999_610_281_751_320n],
    ["SAFE_CAST('x' AS INT64)", null],
    ['SAFE_DIVIDE(1, 0)', null],
    ['JSON_VALUE(JSON \'{"a":{"b":7}}\', \'$.a.b\')', '7'],
    ['TO_JSON_STRING([1, NULL])', '[1,null]'],
    ["EXTRACT(HOUR FROM TIMESTAMP '2026-07-01 12:00:00Z')", 5n],
    ["TIMESTAMP_TRUNC(TIMESTAMP '2026-07-01 12:34:56.7Z', MINUTE, 'UTC') = TIMESTAMP '2026-07-01 12:34:00Z'", true],
    ['CAST(1.1 AS FLOAT32)', Math.fround(1.1)],
    ['LENGTH(GENERATE_UUID())', 36n],
    ['CAST(0.1 AS NUMERIC) + NUMERIC "0.2"', '0.3'],
    ["REGEXP_EXTRACT('ab12', r'[0-9]+')", '12'],
  ];
  for (const [expression, expected] of cases)
    assert.deepEqual(await run(`SELECT ${expression}`), [[expected]], expression);
});

test('query() gives each row a UUID of its own', async () => {
  const rows = await run('SELECT GENERATE_UUID() FROM Child');
  for (const [id] of rows)
    assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(rows.map(([id]) => id)).size, 2);
});

test('query() says what is wrong and where', async () => {
  await refuses('SELECT', status.INVALID_ARGUMENT, /Syntax error: .*\[at 1:7\]/);
  await refuses('SELECT 1 AS one\nFROM Nope', status.INVALID_ARGUMENT, /Table not found: Nope \[at 2:6\]/);
  await refuses('SELECT nope FROM Child', status.INVALID_ARGUMENT, /Unrecognized name: nope \[at 1:8\]/);
  await refuses("SELECT 1.5 + 'a'", status.INVALID_ARGUMENT, /argument types: FLOAT64, STRING/);
  await refuses('SELECT 1 / 0', status.OUT_OF_RANGE, /division by zero/);
  await refuses('SELECT I FROM Child@{FORCE_INDEX=Nope}', status.INVALID_ARGUMENT, /Nope, which is no index/);
  await refuses('SELECT PENDING_COMMIT_TIMESTAMP()', status.INVALID_ARGUMENT, /PENDING_COMMIT_TIMESTAMP/);
  await refuses(
    'SELECT STRUCT(1 AS a) AS s',
    status.UNIMPLEMENTED,
    /struct value cannot be returned as a column value/,
  );
  await refuses('SELECT @p', status.INVALID_ARGUMENT, /parameter/i);
  await refuses('DELETE FROM Child WHERE TRUE', status.UNIMPLEMENTED, /DML/);
  await refuses('DROP TABLE Child', status.INVALID_ARGUMENT, /Only queries/);
});

test('analyze() tells fields, tables and undeclared parameters without a row', async () => {
  const plan = await evaluator.analyze({
    sql: 'SELECT U, C + @step AS next, @named FROM Every JOIN Child USING (I) WHERE S = @s',
    params: { named: { type: { code: 'DATE' }, value: null } },
    schema,
  });
  assert.deepEqual(plan, {
    fields: [
      { name: 'U', type: { code: 'UUID' } },
      { name: 'next', type: { code: 'INT64' } },
      { name: '', type: { code: 'DATE' } },
    ],
    undeclared: [
      { name: 'step', type: { code: 'INT64' } },
      { name: 's', type: { code: 'STRING' } },
    ],
    tables: ['Every', 'Child'],
  });
});

test('expression() gives the value of a DEFAULT, fitted to its column', async () => {
  const now = await evaluator.expression('CURRENT_TIMESTAMP()', { code: 'TIMESTAMP' });
  assert.ok(typeof now === 'bigint' && now > 1_700_000_000_000_000_000n);
  assert.match(String(await evaluator.expression('GENERATE_UUID()', { code: 'STRING' })), /^[0-9a-f-]{36}$/);
  assert.match(String(await evaluator.expression('NEW_UUID()', { code: 'UUID' })), /^[0-9a-f-]{36}$/);
  assert.equal(await evaluator.expression('1 + 2', { code: 'INT64' }), 3n);
  assert.equal(await evaluator.expression('1', { code: 'FLOAT64' }), 1);
  assert.equal(await evaluator.expression('7', { code: 'NUMERIC' }), '7');
  assert.equal(await evaluator.expression("'2026-01-02'", { code: 'DATE' }), '2026-01-02');
  assert.equal(await evaluator.expression("'é' || 'x'", { code: 'STRING' }), 'éx');
  assert.equal(await evaluator.expression('NULL', { code: 'STRING' }), null);
  assert.deepEqual(await evaluator.expression("['a']", { code: 'ARRAY', element: { code: 'STRING' } }), ['a']);
  assert.deepEqual(await evaluator.expression('[]', { code: 'ARRAY', element: { code: 'STRING' } }), []);
  await assert.rejects(evaluator.expression("'x'", { code: 'INT64' }), /has type STRING, which does not become INT64/);
  await assert.rejects(evaluator.expression('I + 1', { code: 'INT64' }), /Unrecognized name: I/);
});

test('query() answers many at once, each with its own rows', async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, at) =>
      run('SELECT @n * C FROM Child ORDER BY C', { n: { type: { code: 'INT64' }, value: `${at}` } }),
    ),
  );
  answers.forEach((rows, at) => {
    assert.deepEqual(rows, [[BigInt(at)], [BigInt(2 * at)]]);
  });
});
