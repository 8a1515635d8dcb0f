import { backingIndexes } from '../ddl/backing-indexes.ts';
import { printType } from '../ddl/print-type.ts';
import { printRetention } from '../ddl/version-retention.ts';
import type { Column, Index, KeyPart, Schema, Table } from '../schema.ts';
import type { Cell } from '../values.ts';
import { constraintViews } from './constraint-views.ts';
import { roleViews } from './role-views.ts';
import { CATALOG, OWN_SCHEMA, place, TABLE_COLUMNS, USER_SCHEMA, type View } from './view.ts';

/**
 * INFORMATION_SCHEMA as Spanner describes it, as far as its objects exist here.
 *
 * Source: https://cloud.google.com/spanner/docs/information-schema
 */
const VIEWS: readonly View[] = [
  {
    name: 'SCHEMATA',
    columns: ['CATALOG_NAME', 'SCHEMA_NAME'],
    rows: () => [
      [CATALOG, USER_SCHEMA],
      [CATALOG, OWN_SCHEMA],
    ],
  },
  {
    name: 'TABLES',
    columns: [
      ...TABLE_COLUMNS,
      'TABLE_TYPE',
      'PARENT_TABLE_NAME',
      'ON_DELETE_ACTION',
      'SPANNER_STATE',
      'INTERLEAVE_TYPE',
      'ROW_DELETION_POLICY_EXPRESSION',
    ],
    rows: tableRows,
  },
  {
    name: 'COLUMNS',
    columns: [
      ...TABLE_COLUMNS,
      'COLUMN_NAME',
      'ORDINAL_POSITION INT64',
      'COLUMN_DEFAULT',
      'DATA_TYPE',
      'IS_NULLABLE',
      'SPANNER_TYPE',
      'IS_GENERATED',
      'GENERATION_EXPRESSION',
      'IS_STORED',
      'SPANNER_STATE',
      'IS_IDENTITY',
      'IDENTITY_GENERATION',
      'IDENTITY_KIND',
      'IDENTITY_START_WITH_COUNTER',
      'IDENTITY_SKIP_RANGE_MIN',
      'IDENTITY_SKIP_RANGE_MAX',
      'IS_HIDDEN BOOL',
    ],
    rows: columnRows,
  },
  {
    name: 'COLUMN_OPTIONS',
    columns: [...TABLE_COLUMNS, 'COLUMN_NAME', 'OPTION_NAME', 'OPTION_TYPE', 'OPTION_VALUE'],
    *rows(schema) {
      for (const [table, column] of allColumns(schema)) {
        if (!column.allowCommitTimestamp) continue;
        yield [...place(table.name), column.name, 'allow_commit_timestamp', 'BOOL', 'TRUE'];
      }
    },
  },
  {
    name: 'INDEXES',
    columns: [
      ...TABLE_COLUMNS,
      'INDEX_NAME',
      'INDEX_TYPE',
      'PARENT_TABLE_NAME',
      'IS_UNIQUE BOOL',
      'IS_NULL_FILTERED BOOL',
      'INDEX_STATE',
      'SPANNER_IS_MANAGED BOOL',
    ],
    *rows(schema) {
      for (const table of schema.tables.values()) {
        yield [...place(table.name), 'PRIMARY_KEY', 'PRIMARY_KEY', '', true, false, null, false];
      }
      for (const [index, isManaged] of allIndexes(schema)) {
        const parent = index.interleavedIn ?? '';
        const flags = [index.unique, index.nullFiltered, 'READ_WRITE', isManaged];
        yield [...place(tableOf(schema, index).name), index.name, 'INDEX', parent, ...flags];
      }
    },
  },
  {
    name: 'INDEX_COLUMNS',
    columns: [
      ...TABLE_COLUMNS,
      'INDEX_NAME',
      'INDEX_TYPE',
      'COLUMN_NAME',
      'ORDINAL_POSITION INT64',
      'COLUMN_ORDERING',
      'IS_NULLABLE',
      'SPANNER_TYPE',
    ],
    rows: indexColumnRows,
  },
  {
    name: 'DATABASE_OPTIONS',
    columns: ['CATALOG_NAME', 'SCHEMA_NAME', 'OPTION_NAME', 'OPTION_TYPE', 'OPTION_VALUE'],
    rows: (schema) => [
      [CATALOG, USER_SCHEMA, 'database_dialect', 'STRING', 'GOOGLE_STANDARD_SQL'],
      [CATALOG, USER_SCHEMA, 'version_retention_period', 'STRING', printRetention(schema.versionRetentionMs)],
    ],
  },
  ...constraintViews,
  ...roleViews,
  ...emptyViews(),
];

const TABLES: ReadonlyMap<string, { table: Table; view: View }> = new Map(
  VIEWS.map((view) => {
    const table = asTable(view);
    return [table.name, { table, view }];
  }),
);

/** The views of INFORMATION_SCHEMA as tables that queries are analysed against, named as `prepareSql()` names them. */
export const informationSchemaTables: readonly Table[] = [...TABLES.values()].map(({ table }) => table);

/** The rows of such a table, or undefined when the table is none of INFORMATION_SCHEMA. */
export function informationSchemaRows(tableName: string, schema: Schema): Iterable<readonly Cell[]> | undefined {
  return TABLES.get(tableName)?.view.rows(schema);
}

function* tableRows(schema: Schema): Generator<readonly Cell[]> {
  for (const view of VIEWS) yield [CATALOG, OWN_SCHEMA, view.name, 'VIEW', null, null, null, null, null];
  for (const { name, parent, rowDeletionPolicy: policy } of schema.tables.values()) {
    const expression = policy && `OLDER_THAN(${policy.column}, INTERVAL ${policy.days} DAY)`;
    const interleaving = [parent?.table ?? null, parent?.onDelete ?? null];
    yield [...place(name), 'BASE TABLE', ...interleaving, 'COMMITTED', parent ? 'IN PARENT' : null, expression ?? null];
  }
}

function* columnRows(schema: Schema): Generator<readonly Cell[]> {
  const identity = ['NO', null, null, null, null, null, false];
  for (const { table, view } of TABLES.values()) {
    for (const [at, column] of table.columns.entries()) {
      const facts = [BigInt(at + 1), null, null, 'YES', printType(column), 'NEVER', null, null, null];
      yield [CATALOG, OWN_SCHEMA, view.name, column.name, ...facts, ...identity];
    }
  }
  for (const [table, column, at] of allColumns(schema)) {
    const nullable = column.notNull ? 'NO' : 'YES';
    const facts = [BigInt(at + 1), column.defaultExpression ?? null, null, nullable, printType(column)];
    yield [...place(table.name), column.name, ...facts, ...generationFacts(column), 'COMMITTED', ...identity];
  }
}

function generationFacts({ generatedAs }: Column): Cell[] {
  if (!generatedAs) return ['NEVER', null, null];
  return ['ALWAYS', generatedAs.expression, generatedAs.stored ? 'YES' : 'NO'];
}

function* indexColumnRows(schema: Schema): Generator<readonly Cell[]> {
  const describe = (table: Table, name: string): Cell[] => {
    const column = table.columns.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
    return column ? [column.notNull ? 'NO' : 'YES', printType(column)] : [null, null];
  };
  const keyRow = (table: Table, index: readonly Cell[], part: KeyPart, at: number): Cell[] => {
    const order = part.descending ? 'DESC' : 'ASC';
    return [...place(table.name), ...index, part.column, BigInt(at + 1), order, ...describe(table, part.column)];
  };
  for (const table of schema.tables.values()) {
    for (const [at, part] of table.primaryKey.entries()) {
      yield keyRow(table, ['PRIMARY_KEY', 'PRIMARY_KEY'], part, at);
    }
  }
  for (const [index] of allIndexes(schema)) {
    const table = tableOf(schema, index);
    for (const [at, part] of index.key.entries()) yield keyRow(table, [index.name, 'INDEX'], part, at);
    for (const stored of index.storing) {
      yield [...place(table.name), index.name, 'INDEX', stored, null, null, ...describe(table, stored)];
    }
  }
}

function emptyViews(): View[] {
  const none = (): Iterable<readonly Cell[]> => [];
  return [
    { name: 'VIEWS', columns: [...TABLE_COLUMNS, 'VIEW_DEFINITION', 'SECURITY_TYPE'], rows: none },
    { name: 'SEQUENCES', columns: ['CATALOG', 'SCHEMA', 'NAME', 'DATA_TYPE'], rows: none },
  ];
}

function asTable(view: View): Table {
  const columns = view.columns.map((text): Column => {
    const [name = '', code = 'STRING'] = text.split(' ');
    return {
      name,
      type: { code: code === 'INT64' || code === 'BOOL' ? code : 'STRING' },
      maxLength: undefined,
      notNull: false,
      defaultExpression: undefined,
      generatedAs: undefined,
      allowCommitTimestamp: false,
    };
  });
  const name = `information_schema_${view.name.toLowerCase()}`;
  return {
    name,
    columns,
    primaryKey: [],
    checks: [],
    foreignKeys: [],
    parent: undefined,
    rowDeletionPolicy: undefined,
  };
}

function* allColumns(schema: Schema): Generator<[Table, Column, number]> {
  for (const table of schema.tables.values()) {
    for (const [at, column] of table.columns.entries()) yield [table, column, at];
  }
}

/** All indexes, and whether Spanner keeps them for itself. */
function* allIndexes(schema: Schema): Generator<[Index, boolean]> {
  for (const index of schema.indexes.values()) yield [index, false];
  for (const index of backingIndexes(schema).values()) yield [index, true];
}

function tableOf(schema: Schema, index: Index): Table {
  const table = schema.tables.get(index.table.toLowerCase());
  if (!table) throw new Error(`Index ${index.name} is on ${index.table}, which the schema does not have`);
  return table;
}
