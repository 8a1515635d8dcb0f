import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyDdl } from '../../../../../deploy/local/spanner/ddl/apply.ts';
import { emptySchema } from '../../../../../deploy/local/spanner/ddl/empty-schema.ts';
import { printDdl } from '../../../../../deploy/local/spanner/ddl/print.ts';
import type { Column, Index, Schema, Table } from '../../../../../deploy/local/spanner/schema.ts';
import type { ScalarCode, SpannerType } from '../../../../../deploy/local/spanner/values.ts';

const CODES: readonly ScalarCode[] = [
  ...(['BOOL', 'INT64', 'FLOAT32', 'FLOAT64', 'NUMERIC', 'STRING', 'BYTES', 'JSON', 'DATE', 'TIMESTAMP'] as const),
  'UUID',
];

test('printDdl() writes tables as Spanner does', () => {
  const statement = `CREATE TABLE Orders (
  \`Order\` INT64 NOT NULL,
  Note STRING(MAX) DEFAULT ('none'),
  UpdatedAt TIMESTAMP OPTIONS (
    allow_commit_timestamp = true
  ),
) PRIMARY KEY(\`Order\` DESC),
  ROW DELETION POLICY (OLDER_THAN(UpdatedAt, INTERVAL 7 DAY))`;
  const index = 'CREATE UNIQUE INDEX ByNote ON Orders(Note DESC) STORING (UpdatedAt)';
  assert.deepEqual(printDdl([statement, index].reduce(applyDdl, emptySchema)), [statement, index]);
});

test('printDdl() writes constraints among the columns, without the name that they get by themselves', () => {
  const statement = `CREATE TABLE T (
  a INT64,
  b INT64 AS (a + 1) STORED,
  CONSTRAINT Small CHECK (a < 10),
  CHECK (a > 0),
  CHECK (b != 5 -- not five
),
) PRIMARY KEY(a)`;
  const schema = applyDdl(emptySchema, statement);
  assert.deepEqual(printDdl(schema), [statement]);
  const names = schema.tables.get('t')?.checks.map(({ name }) => name) ?? [];
  assert.equal(names[0], 'Small');
  for (const name of names.slice(1)) assert.match(name, /^CK_T_[0-9A-F]{16}_1$/);
  const twice = applyDdl(schema, 'ALTER TABLE T ADD CHECK (a > 0)');
  assert.match(twice.tables.get('t')?.checks.at(-1)?.name ?? '', /_2$/);
  assert.deepEqual(printDdl(twice).reduce(applyDdl, emptySchema), twice);
});

test('printDdl() writes statements that make the same schema again', () => {
  fc.assert(
    fc.property(schemas(), (schema) => {
      assert.deepEqual(printDdl(schema).reduce(applyDdl, emptySchema), schema);
    }),
  );
});

function schemas(): fc.Arbitrary<Schema> {
  const retention = fc.integer({ min: 3600, max: 7 * 86_400 }).map((seconds) => seconds * 1000);
  return fc.tuple(fc.array(tableShapes(), { maxLength: 4 }), retention).map(([shapes, versionRetentionMs]) => {
    const { roles } = emptySchema;
    const tables = new Map<string, Table>();
    const indexes = new Map<string, Index>();
    for (const { table, indexed, child } of shapes) {
      if (tables.has(table.name.toLowerCase())) continue;
      tables.set(table.name.toLowerCase(), table);
      const name = `${table.name.slice(0, 100)}_i`;
      indexes.set(name.toLowerCase(), { ...indexed, name, table: table.name });
      const childName = `${table.name.slice(0, 100)}_c`;
      if (child) tables.set(childName.toLowerCase(), asChild(table, childName, child));
    }
    return { tables, indexes, roles, versionRetentionMs };
  });
}

function asChild(parent: Table, name: string, onDelete: 'CASCADE' | 'NO ACTION'): Table {
  const inherited = new Set(parent.primaryKey.map((part) => part.column));
  const columns = parent.columns.filter((column) => inherited.has(column.name));
  const forced = parent.rowDeletionPolicy ? 'CASCADE' : onDelete;
  return {
    ...parent,
    name,
    columns,
    checks: [],
    parent: { table: parent.name, onDelete: forced },
    rowDeletionPolicy: undefined,
  };
}

function tableShapes(): fc.Arbitrary<{
  table: Table;
  indexed: Omit<Index, 'name' | 'table'>;
  child: 'CASCADE' | 'NO ACTION' | undefined;
}> {
  const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,20}$/);
  const name = fc.oneof(word, fc.constantFrom('Order', 'select', 'GROUP', 'All'));
  const named = fc.uniqueArray(fc.tuple(name, columnShapes()), {
    minLength: 1,
    maxLength: 6,
    selector: ([text]) => text.toLowerCase(),
  });
  const flags = fc.record({
    descending: fc.boolean(),
    unique: fc.boolean(),
    nullFiltered: fc.boolean(),
    checked: fc.boolean(),
  });
  const onDelete = fc.constantFrom('CASCADE' as const, 'NO ACTION' as const, undefined);
  return fc.tuple(name, named, flags, onDelete, fc.nat(5000)).map(([tableName, entries, flag, child, days]) => {
    const others = entries.map(([text, shape]): Column => ({ ...shape, name: text }));
    const names = new Set(others.map((column) => column.name.toLowerCase()));
    const key = names.has('the_key') ? 'the_key_' : 'the_key';
    const keyColumn: Column = { ...plain({ code: 'INT64' }), name: key, notNull: true };
    const policy = others.find((column) => column.type.code === 'TIMESTAMP');
    const stored = others.slice(1).map((column) => column.name);
    const first = others[0];
    const orderable = first && !['ARRAY', 'JSON'].includes(first.type.code);
    const indexKey = orderable ? first.name : key;
    const table: Table = {
      name: tableName,
      columns: [...others, keyColumn],
      primaryKey: [{ column: key, descending: flag.descending }],
      checks: flag.checked ? [{ name: `${tableName}_ck`, expression: `${key} > 0 OR ')' != 'x'` }] : [],
      foreignKeys: [],
      parent: undefined,
      rowDeletionPolicy: policy && { column: policy.name, days },
    };
    const indexed = {
      key: [{ column: indexKey, descending: !flag.descending }],
      storing: stored,
      unique: flag.unique,
      nullFiltered: flag.nullFiltered,
      interleavedIn: undefined,
    };
    return { table, indexed, child };
  });
}

function columnShapes(): fc.Arbitrary<Omit<Column, 'name'>> {
  const expression = fc.constantFrom('1', "'a)'", 'CURRENT_TIMESTAMP()', '(1 + 2) * 3', 'CONCAT(\'(\', "x")', 'NULL');
  return fc
    .record({
      code: fc.constantFrom(...CODES),
      array: fc.boolean(),
      length: fc.option(fc.integer({ min: 1, max: 2_621_440 }), { nil: undefined }),
      notNull: fc.boolean(),
      defaultExpression: fc.option(expression, { nil: undefined }),
      generatedAs: fc.option(
        fc.record(
          { expression: fc.constantFrom('1 + 2', "'a)'", 'NULL'), stored: fc.boolean() },
          { noNullPrototype: true },
        ),
        { nil: undefined },
      ),
      commit: fc.boolean(),
    })
    .map(({ code, array, length, notNull, defaultExpression, generatedAs, commit }) => {
      const type: SpannerType = array ? { code: 'ARRAY', element: { code } } : { code };
      const sized = code === 'STRING' || code === 'BYTES';
      const generation = defaultExpression === undefined ? generatedAs : undefined;
      const isPlain = defaultExpression === undefined && !generation;
      return {
        type,
        maxLength: sized ? length : undefined,
        notNull: notNull && generation?.stored !== false,
        defaultExpression,
        generatedAs: generation,
        allowCommitTimestamp: type.code === 'TIMESTAMP' && commit && isPlain,
      };
    });
}

function plain(type: SpannerType): Omit<Column, 'name'> {
  return {
    type,
    maxLength: undefined,
    notNull: false,
    defaultExpression: undefined,
    generatedAs: undefined,
    allowCommitTimestamp: false,
  };
}
