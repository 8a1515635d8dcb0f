import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import { openSqlEvaluator } from '../../../../../deploy/local/spanner/sql/evaluator.ts';
import type { Cell } from '../../../../../deploy/local/spanner/values.ts';

const schema = [
  'CREATE TABLE Singers (Id INT64 NOT NULL, Name STRING(64) DEFAULT ("x"), At2 TIMESTAMP OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (Id), ROW DELETION POLICY (OLDER_THAN(At2, INTERVAL 7 DAY))',
  'CREATE TABLE Albums (Id INT64 NOT NULL, Num INT64, Tags ARRAY<STRING(MAX)>) PRIMARY KEY (Id, Num DESC), INTERLEAVE IN PARENT Singers ON DELETE CASCADE',
  'CREATE UNIQUE NULL_FILTERED INDEX ByName ON Singers(Name DESC) STORING (At2)',
  "ALTER DATABASE db SET OPTIONS (version_retention_period = '3d')",
].reduce(applyDdl, emptySchema);

const evaluator = await openSqlEvaluator();
after(() => evaluator.close());

async function run(sql: string): Promise<readonly (readonly Cell[])[]> {
  const rows = (): never => assert.fail('INFORMATION_SCHEMA reads no user table');
  return (await evaluator.query({ sql, params: {}, schema, rows })).rows;
}

test('INFORMATION_SCHEMA.TABLES lists tables with parents and policies', async () => {
  const rows = await run(
    `SELECT table_name, table_type, parent_table_name, on_delete_action, interleave_type, row_deletion_policy_expression
     FROM information_schema.tables WHERE table_schema = '' ORDER BY table_name`,
  );
  assert.deepEqual(rows, [
    ['Albums', 'BASE TABLE', 'Singers', 'CASCADE', 'IN PARENT', null],
    ['Singers', 'BASE TABLE', null, null, null, 'OLDER_THAN(At2, INTERVAL 7 DAY)'],
  ]);
});

test('INFORMATION_SCHEMA.COLUMNS gives types, nullability and defaults, and knows itself', async () => {
  const columns = 'column_name, ordinal_position, column_default, is_nullable, spanner_type, is_generated';
  const of = (table: string) =>
    run(`SELECT ${columns} FROM INFORMATION_SCHEMA.COLUMNS AS c WHERE c.table_name = '${table}' ORDER BY 2`);
  assert.deepEqual(await of('Singers'), [
    ['Id', 1n, null, 'NO', 'INT64', 'NEVER'],
    ['Name', 2n, '"x"', 'YES', 'STRING(64)', 'NEVER'],
    ['At2', 3n, null, 'YES', 'TIMESTAMP', 'NEVER'],
  ]);
  assert.deepEqual((await of('Albums'))[2], ['Tags', 3n, null, 'YES', 'ARRAY<STRING(MAX)>', 'NEVER']);
  assert.deepEqual(
    (await of('SCHEMATA')).map(([name]) => name),
    ['CATALOG_NAME', 'SCHEMA_NAME'],
  );
  assert.deepEqual(
    await run(
      'SELECT table_name, column_name, option_name, option_type, option_value FROM information_schema.column_options',
    ),
    [['Singers', 'At2', 'allow_commit_timestamp', 'BOOL', 'TRUE']],
  );
});

test('INFORMATION_SCHEMA.INDEXES and INDEX_COLUMNS give keys in order and stored columns without a place', async () => {
  assert.deepEqual(
    await run(
      `SELECT table_name, index_name, index_type, is_unique, is_null_filtered, index_state
       FROM information_schema.indexes ORDER BY 1, 2`,
    ),
    [
      ['Albums', 'PRIMARY_KEY', 'PRIMARY_KEY', true, false, null],
      ['Singers', 'ByName', 'INDEX', true, true, 'READ_WRITE'],
      ['Singers', 'PRIMARY_KEY', 'PRIMARY_KEY', true, false, null],
    ],
  );
  assert.deepEqual(
    await run(
      `SELECT index_name, column_name, ordinal_position, column_ordering, is_nullable, spanner_type
       FROM information_schema.index_columns ORDER BY table_name, index_name, ordinal_position`,
    ),
    [
      ['PRIMARY_KEY', 'Id', 1n, 'ASC', 'NO', 'INT64'],
      ['PRIMARY_KEY', 'Num', 2n, 'DESC', 'YES', 'INT64'],
      ['ByName', 'At2', null, null, 'YES', 'TIMESTAMP'],
      ['ByName', 'Name', 1n, 'DESC', 'YES', 'STRING(64)'],
      ['PRIMARY_KEY', 'Id', 1n, 'ASC', 'NO', 'INT64'],
    ],
  );
});

test('INFORMATION_SCHEMA names primary keys and their columns, joined by any spelling of the views', async () => {
  const rows = await run(
    `SELECT tables.table_name, u.column_name, u.ordinal_position FROM \`INFORMATION_SCHEMA\`.tables
     JOIN information_schema.table_constraints tc ON tc.table_name = tables.table_name AND tc.constraint_type = 'PRIMARY KEY'
     JOIN Information_Schema.Key_Column_Usage AS u USING (constraint_name)
     WHERE tables.table_schema = '' ORDER BY 1, 3`,
  );
  assert.deepEqual(rows, [
    ['Albums', 'Id', 1n],
    ['Albums', 'Num', 2n],
    ['Singers', 'Id', 1n],
  ]);
});

test('INFORMATION_SCHEMA gives database options, schemas, and empty views where the laptop has no such objects', async () => {
  assert.deepEqual(await run('SELECT option_name, option_value FROM information_schema.database_options ORDER BY 1'), [
    ['database_dialect', 'GOOGLE_STANDARD_SQL'],
    ['version_retention_period', '3d'],
  ]);
  assert.deepEqual(await run('SELECT schema_name FROM information_schema.schemata ORDER BY 1'), [
    [''],
    ['INFORMATION_SCHEMA'],
  ]);
  for (const view of ['referential_constraints', 'views', 'sequences']) {
    assert.deepEqual(await run(`SELECT * FROM information_schema.${view}`), [], view);
  }
  await assert.rejects(run('SELECT * FROM information_schema.nothing'), /Table not found/);
});
