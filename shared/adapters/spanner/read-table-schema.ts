import type { Database } from '@google-cloud/spanner';
import {
  readColumnType,
  type TableColumn,
  type TableIndex,
  type TableSchema,
} from '../../model/events/table-schema.ts';

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

/**
 * Reads a table's columns, key and indexes from INFORMATION_SCHEMA, by one statement each at one timestamp.
 *
 * @returns undefined when the database has no such table
 */
export async function readTableSchema(database: Database, table: string): Promise<TableSchema | undefined> {
  const [snapshot] = await database.getSnapshot({ strong: true });
  try {
    const run = async (sql: string) => {
      const [rows] = await snapshot.run({ sql, params: { table }, types: { table: 'string' }, json: true });
      return rows.map((row): unknown => row);
    };
    const columns = await run(COLUMNS);
    if (columns.length === 0) return undefined;
    const stamped = new Set((await run(COMMIT_TIMESTAMPS)).map((row) => textOf(row, 'name')));
    return schemaOf(columns, stamped, await run(INDEX_COLUMNS));
  } finally {
    snapshot.end();
  }
}

function schemaOf(
  columns: readonly unknown[],
  stamped: ReadonlySet<string>,
  indexColumns: readonly unknown[],
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
    name: textOf(columns[0], 'tableName'),
    columns: columns.map((row) => columnOf(row, stamped)),
    primaryKey,
    indexes: [...indexes].map(([name, names]): TableIndex => ({ name, columns: names })),
  };
}

function columnOf(row: unknown, stamped: ReadonlySet<string>): TableColumn {
  const name = textOf(row, 'name');
  const typeText = textOf(row, 'typeText');
  return {
    name,
    typeText,
    type: readColumnType(typeText),
    notNull: textOf(row, 'nullable') === 'NO',
    hasDefault: fieldOf(row, 'defaultText') !== null,
    generated: textOf(row, 'generated') === 'ALWAYS',
    allowCommitTimestamp: stamped.has(name),
  };
}

function textOf(row: unknown, field: string): string {
  const value = fieldOf(row, field);
  return value === null ? '' : String(value);
}

function fieldOf(row: unknown, field: string): unknown {
  if (typeof row !== 'object' || row === null) return null;
  const value: unknown = Object.getOwnPropertyDescriptor(row, field)?.value;
  return value ?? null;
}
