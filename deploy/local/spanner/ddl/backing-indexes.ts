import { createHash } from 'node:crypto';
import type { ForeignKey, Index, Schema, Table } from '../schema.ts';
import { findTable, sameName } from './schema-error.ts';

const HASH_DIGITS = 16;

/** The indexes that Spanner keeps for foreign keys by itself, by lower-case name; no DDL speaks of them. */
export function backingIndexes(schema: Schema): Map<string, Index> {
  const found = new Map<string, Index>();
  for (const table of schema.tables.values()) {
    for (const foreignKey of table.foreignKeys) {
      for (const index of [referencingIndex(table, foreignKey), referencedIndex(schema, foreignKey)]) {
        if (index && foreignKey.enforced) found.set(index.name.toLowerCase(), index);
      }
    }
  }
  return found;
}

/** Finds the rows that refer to some values; undefined where the table's own key does. */
export function referencingIndex(table: Table, { columns }: ForeignKey): Index | undefined {
  const isPrefix = columns.every((column, at) => sameName(column, table.primaryKey[at]?.column ?? ''));
  return isPrefix ? undefined : backing(table, columns, false);
}

/** Finds the row that is referred to, and keeps it the only one; undefined where the table's own key does. */
export function referencedIndex(
  schema: Schema,
  { referencedTable, referencedColumns }: Pick<ForeignKey, 'referencedTable' | 'referencedColumns'>,
): Index | undefined {
  const table = findTable(schema, referencedTable);
  const isKey =
    referencedColumns.length === table.primaryKey.length &&
    table.primaryKey.every((part) => referencedColumns.some((column) => sameName(column, part.column)));
  return isKey ? undefined : backing(table, referencedColumns, true);
}

function backing(table: Table, columns: readonly string[], unique: boolean): Index {
  const text = JSON.stringify([table.name, ...columns].map((name) => name.toLowerCase()));
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS).toUpperCase();
  return {
    name: `IDX_${table.name}_${columns.join('_')}_${unique ? 'U' : 'N'}_${hash}`,
    table: table.name,
    key: columns.map((column) => ({ column, descending: false })),
    storing: [],
    unique,
    nullFiltered: true,
    interleavedIn: undefined,
  };
}
