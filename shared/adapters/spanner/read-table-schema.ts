import {
  readColumnType,
  type TableColumn,
  type TableIndex,
  type TableSchema,
} from '../../model/events/tables/table-schema.ts';
import type { SpannerChannel } from './channel.ts';
import { type QueryRow, readSnapshot } from './read-snapshot.ts';

const DEADLINE_MS = 15_000;

const COLUMNS = `
  SELECT c.TABLE_NAME AS tableName, c.COLUMN_NAME AS name, c.SPANNER_TYPE AS typeText, c.IS_NULLABLE AS nullable,
    c.COLUMN_DEFAULT AS defaultText, c.IS_GENERATED AS generated
  FROM INFORMATION_SCHEMA.COLUMNS AS c
  WHERE c.TABLE_CATALOG = '' AND c.TABLE_SCHEMA = '' AND LOWER(c.TABLE_NAME) = LOWER(@table)
  ORDER BY c.ORDINAL_POSITION`;
const COMMIT_TIMESTAMPS = `
  SELECT o.COLUMN_NAME AS name
  FROM INFORMATION_SCHEMA.COLUMN_OPTIONS AS o
  WHERE o.TABLE_CATALOG = '' AND o.TABLE_SCHEMA = '' AND LOWER(o.TABLE_NAME) = LOWER(@table)
    AND o.OPTION_NAME = 'allow_commit_timestamp' AND UPPER(o.OPTION_VALUE) = 'TRUE'`;
const INDEX_COLUMNS = `
  SELECT i.INDEX_NAME AS indexName, i.COLUMN_NAME AS name, i.ORDINAL_POSITION AS ordinal
  FROM INFORMATION_SCHEMA.INDEX_COLUMNS AS i
  WHERE i.TABLE_CATALOG = '' AND i.TABLE_SCHEMA = '' AND LOWER(i.TABLE_NAME) = LOWER(@table)
  ORDER BY i.INDEX_NAME, i.ORDINAL_POSITION`;
const PARENTS = `
  SELECT t.TABLE_NAME AS name, t.PARENT_TABLE_NAME AS parent
  FROM INFORMATION_SCHEMA.TABLES AS t
  WHERE t.TABLE_CATALOG = '' AND t.TABLE_SCHEMA = '' AND t.INTERLEAVE_TYPE = 'IN PARENT'`;

/**
 * Reads a table's columns, key, indexes and what it is interleaved in from INFORMATION_SCHEMA, by one statement each at one timestamp.
 *
 * @returns undefined when the database has no such table
 * @throws {StoreUnavailableError} when Spanner cannot be reached or answers late
 */
export function readTableSchema(
  channel: SpannerChannel,
  table: string,
  deadlineMs: number = DEADLINE_MS,
): Promise<TableSchema | undefined> {
  const call = { attempted: `read the schema of table ${table}`, table, deadlineMs };
  return readSnapshot(channel, call, async (query) => {
    const columns = await query(COLUMNS, { table });
    if (columns.length === 0) return undefined;
    const stamped = new Set((await query(COMMIT_TIMESTAMPS, { table })).map((row) => textOf(row, 'name')));
    const schema = schemaOf(columns, stamped, await query(INDEX_COLUMNS, { table }));
    const parents = await query(PARENTS, {});
    return { ...schema, ancestors: ancestorsOf(schema.name, parents) };
  });
}

function schemaOf(
  columns: readonly QueryRow[],
  stamped: ReadonlySet<string>,
  indexColumns: readonly QueryRow[],
): TableSchema {
  const indexes = new Map<string, string[]>();
  for (const row of indexColumns) {
    const index = textOf(row, 'indexName');
    const names = indexes.get(index) ?? [];
    names.push(textOf(row, 'name'));
    indexes.set(index, names);
  }
  const primaryKey = indexes.get('PRIMARY_KEY') ?? [];
  indexes.delete('PRIMARY_KEY');
  return {
    name: textOf(columns[0] ?? {}, 'tableName'),
    columns: columns.map((row) => columnOf(row, stamped)),
    primaryKey,
    indexes: [...indexes].map(([name, names]): TableIndex => ({ name, columns: names })),
  };
}

/** Nearest first. */
function ancestorsOf(table: string, rows: readonly QueryRow[]): string[] {
  const parents = new Map(rows.map((row) => [textOf(row, 'name'), textOf(row, 'parent')]));
  const ancestors: string[] = [];
  for (let at = parents.get(table); at !== undefined; at = parents.get(at)) ancestors.push(at);
  return ancestors;
}

function columnOf(row: QueryRow, stamped: ReadonlySet<string>): TableColumn {
  const name = textOf(row, 'name');
  const typeText = textOf(row, 'typeText');
  return {
    name,
    typeText,
    type: readColumnType(typeText),
    notNull: textOf(row, 'nullable') === 'NO',
    hasDefault: (row.defaultText ?? null) !== null,
    generated: textOf(row, 'generated') === 'ALWAYS',
    allowCommitTimestamp: stamped.has(name),
  };
}

function textOf(row: QueryRow, field: string): string {
  const value = row[field] ?? null;
  return value === null ? '' : String(value);
}
