import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { CompileTable, RowProgram } from '../../../../../deploy/local/spanner/row-program.ts';
import { openSqlEvaluator } from '../../../../../deploy/local/spanner/sql/evaluator.ts';
import { openDatabase, read, write } from '../open-database.ts';

const SCHEMA = [
  `CREATE TABLE T (
     Id STRING(MAX), N INT64,
     Shard INT64 AS (MOD(ABS(FARM_FINGERPRINT(Id)), 16)) STORED,
     Twice INT64 AS (N * 2) STORED,
   ) PRIMARY KEY (Shard, Id)`,
];

const evaluator = await openSqlEvaluator();
after(() => evaluator.close());

/** Compiles with SQL; `beforeRun` is called at each run of a program. */
function compiling(beforeRun: (rowCount: number) => Promise<void>): CompileTable {
  const watch = (program: RowProgram | undefined): RowProgram | undefined =>
    program && {
      ...program,
      async run(rows) {
        await beforeRun(rows.length);
        return program.run(rows);
      },
    };
  return async (table) => {
    const { key, row } = await evaluator.compileTable(table);
    return { key: watch(key), row: watch(row) };
  };
}

test('commit() evaluates 5,000 rows with one run for their keys and one for their cells', async () => {
  const runs: number[] = [];
  const { database } = await openDatabase(SCHEMA, {
    compileTable: compiling(async (count) => {
      runs.push(count);
    }),
  });
  const rows = Array.from({ length: 5000 }, (_, i) => ({ Id: `k${i}`, N: BigInt(i) }));
  await database.commit({ mutations: [write('insert', 'T', ...rows)] });
  assert.deepEqual(runs, [5000, 5000]);
  const cells = read(database, { table: 'T', columns: ['N', 'Twice'] });
  assert.equal(cells.length, 5000);
  assert.ok(cells.every(([n, twice]) => BigInt(Number(n)) * 2n === twice));
});

test('commit() tries again with the rows as they are when another commit changed them during the evaluation', async () => {
  let interfere: (() => Promise<void>) | undefined;
  const { database } = await openDatabase(SCHEMA, {
    compileTable: compiling(async () => {
      const once = interfere;
      interfere = undefined;
      await once?.();
    }),
  });
  await database.commit({ mutations: [write('insert', 'T', { Id: 'a', N: 1n })] });
  interfere = async () => {
    await database.commit({ mutations: [write('update', 'T', { Id: 'a', N: 21n })] });
  };
  // This one leaves N alone: what Twice must be changes under it.
  await database.commit({ mutations: [write('update', 'T', { Id: 'a' })] });
  assert.deepEqual(read(database, { table: 'T', columns: ['N', 'Twice'] }), [[21n, 42n]]);
});

test('changeSchema() fills a generated column also for rows that come while it is evaluated', async () => {
  let interfere: (() => Promise<void>) | undefined;
  const { database } = await openDatabase(['CREATE TABLE P (K INT64, N INT64) PRIMARY KEY (K)'], {
    compileTable: compiling(async () => {
      const once = interfere;
      interfere = undefined;
      await once?.();
    }),
  });
  await database.commit({ mutations: [write('insert', 'P', { K: 1n, N: 1n })] });
  interfere = async () => {
    await database.commit({ mutations: [write('insertOrUpdate', 'P', { K: 1n, N: 5n }, { K: 2n, N: 7n })] });
  };
  await database.changeSchema('ALTER TABLE P ADD COLUMN G INT64 AS (N + 1) STORED');
  assert.deepEqual(read(database, { table: 'P', columns: ['N', 'G'] }), [
    [5n, 6n],
    [7n, 8n],
  ]);
});

test('commit() gives up as ABORTED when its rows change each time that SQL was evaluated for them', async () => {
  let n = 0n;
  let isNested = false;
  const { database } = await openDatabase(
    ['CREATE TABLE P (K INT64, N INT64, G INT64 AS (N) STORED, V INT64) PRIMARY KEY (K)'],
    {
      compileTable: compiling(async () => {
        if (isNested || n === 0n) return;
        isNested = true;
        n += 1n;
        await database.commit({ mutations: [write('update', 'P', { K: 1n, N: n })] });
        isNested = false;
      }),
    },
  );
  await database.commit({ mutations: [write('insert', 'P', { K: 1n, N: 0n })] });
  n = 1n;
  await assert.rejects(database.commit({ mutations: [write('update', 'P', { K: 1n, V: 1n })] }), /kept changing/);
  assert.deepEqual(read(database, { table: 'P', columns: ['N', 'G', 'V'] }), [[n, n, null]]);
});
