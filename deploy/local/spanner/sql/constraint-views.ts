import { backingIndexes, referencedIndex } from '../ddl/backing-indexes.ts';
import { mentions } from '../ddl/check-expression.ts';
import type { ForeignKey, Schema } from '../schema.ts';
import type { Cell } from '../values.ts';
import { place, TABLE_COLUMNS, type View } from './view.ts';

const CONSTRAINT_COLUMNS = ['CONSTRAINT_CATALOG', 'CONSTRAINT_SCHEMA', 'CONSTRAINT_NAME'];

type ConstraintType = 'PRIMARY KEY' | 'UNIQUE' | 'CHECK' | 'FOREIGN KEY';

/** One constraint as the views tell it; NOT NULL is a CHECK too. */
interface Constraint {
  readonly name: string;
  readonly table: string;
  readonly type: ConstraintType;
  /** Of a key, in order. */
  readonly keyColumns: readonly string[];
  /** What CONSTRAINT_COLUMN_USAGE lists: of a foreign key, the columns that it refers to. */
  readonly usedTable: string;
  readonly usedColumns: readonly string[];
  readonly clause?: string;
  readonly foreignKey?: ForeignKey;
}

/**
 * The views of INFORMATION_SCHEMA that speak of constraints.
 *
 * Source: https://cloud.google.com/spanner/docs/information-schema#table_constraints
 */
export const constraintViews: readonly View[] = [
  {
    name: 'TABLE_CONSTRAINTS',
    columns: [
      ...CONSTRAINT_COLUMNS,
      ...TABLE_COLUMNS,
      'CONSTRAINT_TYPE',
      'IS_DEFERRABLE',
      'INITIALLY_DEFERRED',
      'ENFORCED',
    ],
    *rows(schema) {
      for (const { name, table, type, foreignKey } of constraintsOf(schema)) {
        const enforced = foreignKey?.enforced === false ? 'NO' : 'YES';
        yield [...place(name), ...place(table), type, 'NO', 'NO', enforced];
      }
    },
  },
  {
    name: 'CHECK_CONSTRAINTS',
    columns: [...CONSTRAINT_COLUMNS, 'CHECK_CLAUSE', 'SPANNER_STATE'],
    *rows(schema) {
      for (const { name, clause } of constraintsOf(schema)) if (clause) yield [...place(name), clause, 'COMMITTED'];
    },
  },
  {
    name: 'KEY_COLUMN_USAGE',
    columns: [
      ...CONSTRAINT_COLUMNS,
      ...TABLE_COLUMNS,
      'COLUMN_NAME',
      'ORDINAL_POSITION INT64',
      'POSITION_IN_UNIQUE_CONSTRAINT INT64',
    ],
    rows: keyColumnRows,
  },
  {
    name: 'CONSTRAINT_COLUMN_USAGE',
    columns: [...TABLE_COLUMNS, 'COLUMN_NAME', ...CONSTRAINT_COLUMNS],
    *rows(schema) {
      for (const { name, usedTable, usedColumns } of constraintsOf(schema)) {
        for (const column of usedColumns) yield [...place(usedTable), column, ...place(name)];
      }
    },
  },
  {
    name: 'CONSTRAINT_TABLE_USAGE',
    columns: [...TABLE_COLUMNS, ...CONSTRAINT_COLUMNS],
    *rows(schema) {
      for (const { name, usedTable, type } of constraintsOf(schema)) {
        if (type !== 'CHECK') yield [...place(usedTable), ...place(name)];
      }
    },
  },
  {
    name: 'REFERENTIAL_CONSTRAINTS',
    columns: [
      ...CONSTRAINT_COLUMNS,
      'UNIQUE_CONSTRAINT_CATALOG',
      'UNIQUE_CONSTRAINT_SCHEMA',
      'UNIQUE_CONSTRAINT_NAME',
      'MATCH_OPTION',
      'UPDATE_RULE',
      'DELETE_RULE',
      'SPANNER_STATE',
    ],
    *rows(schema) {
      for (const { name, foreignKey } of constraintsOf(schema)) {
        if (!foreignKey) continue;
        const unique = foreignKey.enforced ? place(uniqueNameOf(schema, foreignKey)) : [null, null, null];
        yield [...place(name), ...unique, 'SIMPLE', 'NO ACTION', foreignKey.onDelete, 'COMMITTED'];
      }
    },
  },
];

function* keyColumnRows(schema: Schema): Generator<readonly Cell[]> {
  for (const { name, table, keyColumns, foreignKey } of constraintsOf(schema)) {
    for (const [at, column] of keyColumns.entries()) {
      const inUnique = foreignKey?.enforced ? BigInt(positionInUnique(schema, foreignKey, at) + 1) : null;
      yield [...place(name), ...place(table), column, BigInt(at + 1), inUnique];
    }
  }
}

function* constraintsOf(schema: Schema): Generator<Constraint> {
  for (const table of schema.tables.values()) {
    const own = { table: table.name, usedTable: table.name };
    const key = table.primaryKey.map(({ column }) => column);
    yield { ...own, name: `PK_${table.name}`, type: 'PRIMARY KEY', keyColumns: key, usedColumns: key };
    const check = { ...own, type: 'CHECK', keyColumns: [] } as const;
    for (const { name } of table.columns.filter(({ notNull }) => notNull)) {
      const clause = `${name} IS NOT NULL`;
      yield { ...check, name: `CK_IS_NOT_NULL_${table.name}_${name}`, clause, usedColumns: [name] };
    }
    for (const { name, expression } of table.checks) {
      const usedColumns = table.columns
        .filter((column) => mentions(expression, column.name))
        .map((column) => column.name);
      yield { ...check, name, clause: expression, usedColumns };
    }
    for (const foreignKey of table.foreignKeys) {
      const { name, columns, referencedTable, referencedColumns } = foreignKey;
      const used = { usedTable: referencedTable, usedColumns: referencedColumns };
      yield { table: table.name, name, type: 'FOREIGN KEY', keyColumns: columns, ...used, foreignKey };
    }
  }
  for (const { name, table, key, unique } of backingIndexes(schema).values()) {
    const columns = key.map(({ column }) => column);
    if (unique) yield { name, table, usedTable: table, type: 'UNIQUE', keyColumns: columns, usedColumns: columns };
  }
}

function uniqueNameOf(schema: Schema, foreignKey: ForeignKey): string {
  return referencedIndex(schema, foreignKey)?.name ?? `PK_${foreignKey.referencedTable}`;
}

/** Where the unique constraint has the column that the foreign key's column at a place refers to. */
function positionInUnique(schema: Schema, foreignKey: ForeignKey, at: number): number {
  const key = schema.tables.get(foreignKey.referencedTable.toLowerCase())?.primaryKey ?? [];
  const unique = referencedIndex(schema, foreignKey)?.key ?? key;
  const wanted = foreignKey.referencedColumns[at]?.toLowerCase();
  return unique.findIndex(({ column }) => column.toLowerCase() === wanted);
}
