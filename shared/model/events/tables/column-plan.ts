import type { ColumnSource, Target } from '../../config/declaration.ts';
import type { TableColumn, TableSchema } from './table-schema.ts';

/** One column that a target writes, and where its value comes from. */
export interface PlannedColumn {
  readonly column: TableColumn;
  readonly source: ColumnSource | 'commit-timestamp';
  /** A field that a record may leave out: the column then keeps its value or gets its default. */
  readonly optional: boolean;
}

/**
 * Which columns a target's rows have, in the order of its declaration, then of the table.
 *
 * A column that the declaration leaves out comes from the field of the same name; where it allows commit timestamps, it
 * gets the commit's. A record need not carry such a field unless the column is a key or NOT NULL without a default; in mode
 * update, which leaves the row's other columns as they are, only the key.
 * Generated columns are never written. Declared columns that the table does not have are left out here and reported by
 * `checkPipeline`.
 */
export function planColumns(target: Target, table: TableSchema): readonly PlannedColumn[] {
  const declared = declaredColumns(target, table);
  const deletesOnly = target.mode === 'delete';
  const names = new Set(declared.map(({ column }) => column.name.toLowerCase()));
  const left = table.columns
    .filter((column) => !names.has(column.name.toLowerCase()) && !column.generated && column.type !== undefined)
    .filter((column) => !deletesOnly || isKey(table, column) || column.name === target.guard)
    .map((column) => leftOut(target, table, column));
  return [...declared, ...left];
}

/** A table's column by its name, whose case does not count. */
export function findColumn(table: TableSchema, name: string): TableColumn | undefined {
  const wanted = name.toLowerCase();
  return table.columns.find((column) => column.name.toLowerCase() === wanted);
}

/** True for a column of the primary key. */
export function isKey(table: TableSchema, column: TableColumn): boolean {
  return table.primaryKey.includes(column.name);
}

/** The declaration's sources: the group of an aggregate, else the columns. */
export function sourcesOf(target: Target): readonly ColumnSource[] {
  return target.aggregate?.groupBy ?? target.columns;
}

function declaredColumns(target: Target, table: TableSchema): PlannedColumn[] {
  return sourcesOf(target).flatMap((source) => {
    const column = findColumn(table, source.column);
    return column && !column.generated ? [{ column, source, optional: false }] : [];
  });
}

function leftOut(target: Target, table: TableSchema, column: TableColumn): PlannedColumn {
  if (column.allowCommitTimestamp && !isKey(table, column) && column.name !== target.guard) {
    return { column, source: 'commit-timestamp', optional: false };
  }
  const from = { kind: 'field', path: column.name } as const;
  return {
    column,
    source: { column: column.name, from, format: undefined, zone: undefined, bitReverse: false, windowMs: undefined },
    optional: !isKey(table, column) && (!column.notNull || column.hasDefault || target.mode === 'update'),
  };
}
