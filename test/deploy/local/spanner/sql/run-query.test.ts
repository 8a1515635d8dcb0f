import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import { runQuery } from '../../../../../deploy/local/spanner/sql/run-query.ts';
import { openZetaSql } from '../../../../../deploy/local/spanner/sql/zetasql.ts';
import type { Cell } from '../../../../../deploy/local/spanner/values.ts';

const schema = [
  `CREATE TABLE F (Id STRING(36) NOT NULL, I INT64, D FLOAT64, N NUMERIC, B BOOL, Y BYTES(MAX), T TIMESTAMP, A DATE)
   PRIMARY KEY (Id)`,
  'CREATE TABLE G (Id STRING(36) NOT NULL, I INT64) PRIMARY KEY (Id)',
].reduce(applyDdl, emptySchema);

const PARAMS = {
  three: { type: { code: 'INT64' }, value: '3' },
  untyped: { type: undefined, value: '2' },
} as const;

/** All ordered in full, so that two ways of computing them must agree to the row. */
const QUERIES = [
  'SELECT COUNT(*) FROM F',
  'SELECT COUNT(*), COUNT(I), COUNT(DISTINCT I), COUNTIF(B), SUM(I), AVG(I), MIN(I), MAX(I) FROM F',
  'SELECT SUM(N), AVG(N), MIN(N), MAX(N), SUM(DISTINCT N), COUNT(DISTINCT Y), MIN(Y), MAX(Id), MIN(T), MAX(A) FROM F',
  'SELECT MIN(D), MAX(D), LOGICAL_AND(B), LOGICAL_OR(B), COUNT(DISTINCT D) FROM F',
  'SELECT SUM(I * 2), MAX(CONCAT(Id, "x")), COUNTIF(I > @three), SUM(IF(B, 1, 0)) FROM F WHERE I IS NOT NULL',
  'SELECT I, COUNT(*), MIN(Id) FROM F GROUP BY I ORDER BY I',
  'SELECT B, A, COUNT(*) c FROM F GROUP BY 1, 2 HAVING c > 1 ORDER BY c DESC, B, A DESC LIMIT 3',
  'SELECT MOD(I, 3) AS m, SUM(N) FROM F WHERE I > @untyped OR B GROUP BY m ORDER BY m DESC',
  'SELECT DISTINCT D FROM F ORDER BY D DESC',
  'SELECT Id, D, Y FROM F ORDER BY D DESC, Y, Id LIMIT 5 OFFSET 2',
  'SELECT Id, UPPER(Id) u, I + 1 FROM F WHERE B ORDER BY u DESC, Id',
  'SELECT T, N, Id FROM F ORDER BY T NULLS LAST, N DESC NULLS FIRST, Id',
  'SELECT * FROM F ORDER BY Id LIMIT @three',
  'SELECT 1 FROM F LIMIT 0',
  'SELECT I, c, RANK() OVER (ORDER BY c DESC, I) FROM (SELECT I, COUNT(*) c FROM F GROUP BY I) ORDER BY 3',
  'SELECT f.I, f.c, g.c FROM (SELECT I, COUNT(*) c FROM F GROUP BY I) f JOIN (SELECT I, COUNT(*) c FROM G GROUP BY I) g USING (I) ORDER BY 1',
  'WITH w AS (SELECT I, SUM(N) s FROM F GROUP BY I) SELECT COUNT(*), SUM(s) FROM w',
  'SELECT (SELECT COUNT(*) FROM F), (SELECT MAX(I) FROM G), @three',
  'SELECT Id FROM F WHERE I IN (SELECT I FROM G WHERE I > 0) ORDER BY Id',
  'SELECT COUNT(*) FROM F UNION ALL SELECT COUNT(*) FROM G ORDER BY 1',
  'SELECT ARRAY_AGG(Id ORDER BY Id), STRING_AGG(Id, "," ORDER BY Id) FROM F WHERE I > 1',
];

const zetasql = await openZetaSql();
after(() => zetasql.close());

test('runQuery() gives the same answers whether ZetaSQL holds the tables or they are scanned here', async () => {
  const property = fc.asyncProperty(tables(), fc.constantFrom(...QUERIES), async (rows, sql) => {
    const query = {
      sql,
      params: PARAMS,
      schema,
      rows: (table: { name: string }) => (table.name === 'F' ? rows.f : rows.g),
    };
    const [there, here] = await zetasql.use(async (session) => [
      await runQuery(session, query, Infinity),
      await runQuery(session, query, -1),
    ]);
    assert.deepEqual(here, there);
  });
  await fc.assert(property, { numRuns: 120 });
});

test('runQuery() answers over a table that is larger than one message', async () => {
  const f = Array.from({ length: 200_000 }, (_, at): Cell[] => [
    `flight-${String(at).padStart(29, '0')}`,
    BigInt(at % 100),
    at / 2,
    null,
    at % 3 === 0,
    null,
    1_000_000_000n * BigInt(at),
    null,
  ]);
  const run = async (sql: string) =>
    (await zetasql.use((session) => runQuery(session, { sql, params: {}, schema, rows: () => f }))).rows;
  assert.deepEqual(await run('SELECT COUNT(*), COUNT(DISTINCT Id), MAX(T) FROM F'), [
    [200_000n, 200_000n, 199_999_000_000_000n],
  ]);
  assert.deepEqual(await run('SELECT I, COUNT(*) FROM F GROUP BY I ORDER BY I DESC LIMIT 1'), [[99n, 2000n]]);
  assert.deepEqual(await run('SELECT Id FROM F WHERE MOD(CAST(D AS INT64), 100000) = 99999 ORDER BY Id DESC LIMIT 1'), [
    ['flight-00000000000000000000000199998'],
  ]);
  await assert.rejects(
    run('SELECT COUNT(*) FROM F a JOIN F b USING (Id)'),
    (error: { code?: status; message: string }) => {
      assert.equal(error.code, status.RESOURCE_EXHAUSTED);
      assert.match(error.message, /filter or aggregate each large table/);
      return true;
    },
  );
});

test('runQuery() refuses a SUM that does not fit, wherever it is computed', async () => {
  const rows: Cell[][] = [
    ['a', 9_223_372_036_854_775_807n],
    ['b', 1n],
  ];
  for (const directBytes of [Infinity, -1]) {
    await assert.rejects(
      zetasql.use((session) =>
        runQuery(session, { sql: 'SELECT SUM(I) FROM G', params: {}, schema, rows: () => rows }, directBytes),
      ),
      (error: { code?: status; message: string }) => {
        assert.equal(error.code, status.OUT_OF_RANGE);
        assert.match(error.message, /int64 overflow/);
        return true;
      },
    );
  }
});

function tables(): fc.Arbitrary<{ f: Cell[][]; g: Cell[][] }> {
  const small = fc.bigInt({ min: -4n, max: 6n });
  const nullable = <T>(values: fc.Arbitrary<T>) => fc.option(values, { freq: 4 });
  const float = fc.constantFrom(0, -0, 1.5, -2.25, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
  const numeric = fc.constantFrom('0', '-0.000000001', '1.5', '99999.999999999', '-7', '2');
  const row = fc.tuple(
    nullable(small),
    nullable(float),
    nullable(numeric),
    nullable(fc.boolean()),
    nullable(fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes))),
    // Whole microseconds: MIN and MAX of ZetaSQL's evaluator cut the rest off, Spanner does not.
    nullable(fc.bigInt({ min: -3n, max: 3n }).map((micros) => micros * 1000n)),
    nullable(fc.constantFrom('0001-01-01', '2026-02-28', '9999-12-31')),
  );
  const ids = fc.constantFrom('a', 'B', 'é', '\uffff', '🚀', '');
  const unique = (at: number, id: string) => `${id}${at}`;
  return fc.record({
    f: fc
      .array(fc.tuple(ids, row), { maxLength: 20 })
      .map((all) => all.map(([id, cells], at): Cell[] => [unique(at, id), ...cells])),
    g: fc
      .array(fc.tuple(ids, nullable(small)), { maxLength: 8 })
      .map((all) => all.map(([id, i], at): Cell[] => [unique(at, id), i])),
  });
}
