import type { Column, ForeignKey, Schema, Table } from '../schema.ts';
import { MAX_KEY_COLUMNS } from './limits.ts';
import { printType } from './print-type.ts';
import { findColumn, findTable, sameName, schemaError } from './schema-error.ts';

/** Throws unless every foreign key of the table fits it and the table that it refers to, which may be the same. */
export function checkForeignKeys(schema: Schema, table: Table): void {
  for (const foreignKey of table.foreignKeys) {
    const isOwn = sameName(foreignKey.referencedTable, table.name);
    const referenced = isOwn ? table : findTable(schema, foreignKey.referencedTable);
    checkForeignKey(table, foreignKey, referenced);
  }
}

/** The foreign keys that refer to a table, each with the table that it belongs to. */
export function foreignKeysOn(schema: Schema, name: string): { table: Table; foreignKey: ForeignKey }[] {
  return [...schema.tables.values()].flatMap((table) =>
    table.foreignKeys
      .filter(({ referencedTable }) => sameName(referencedTable, name))
      .map((foreignKey) => ({ table, foreignKey })),
  );
}

/** Throws where a foreign key on either side uses the column. */
export function refuseForeignKeyUse(schema: Schema, table: Table, column: string, attempt: string): void {
  const own = table.foreignKeys.filter(({ columns }) => columns.some((used) => sameName(used, column)));
  const others = foreignKeysOn(schema, table.name)
    .map(({ foreignKey }) => foreignKey)
    .filter(({ referencedColumns }) => referencedColumns.some((used) => sameName(used, column)));
  const names = [...new Set([...own, ...others].map(({ name }) => name))];
  if (names.length === 0) return;
  throw schemaError(
    `Cannot ${attempt} column ${table.name}.${column}: foreign keys use it: ${names.join(', ')}. Drop them first`,
  );
}

/** Throws where rows that others must find could be deleted by age. */
export function refusePolicyOnReferenced(schema: Schema, table: Table): void {
  const holding = foreignKeysOn(schema, table.name).find(
    ({ foreignKey }) => foreignKey.enforced && foreignKey.onDelete === 'NO ACTION',
  );
  if (!table.rowDeletionPolicy || !holding) return;
  throw schemaError(
    `Table ${table.name} cannot have a row deletion policy while foreign key ${holding.foreignKey.name} of table ` +
      `${holding.table.name} refers to it without ON DELETE CASCADE`,
  );
}

function checkForeignKey(table: Table, foreignKey: ForeignKey, referenced: Table): void {
  const { name, columns, referencedColumns } = foreignKey;
  if (columns.length !== referencedColumns.length || columns.length > MAX_KEY_COLUMNS) {
    throw schemaError(
      `Foreign key ${name} has ${columns.length} columns and refers to ${referencedColumns.length}: ` +
        `give as many on both sides, at most ${MAX_KEY_COLUMNS}`,
    );
  }
  if (foreignKey.onDelete === 'CASCADE' && !foreignKey.enforced) {
    throw schemaError(`Foreign key ${name} is NOT ENFORCED: it cannot be ON DELETE CASCADE`);
  }
  refuseTwice(name, columns);
  refuseTwice(name, referencedColumns);
  columns.forEach((column, at) => {
    checkPair(
      name,
      [table, findColumn(table, column)],
      [referenced, findColumn(referenced, referencedColumns[at] ?? '')],
    );
  });
}

function checkPair(
  name: string,
  [ownTable, own]: readonly [Table, Column],
  [table, other]: readonly [Table, Column],
): void {
  const pair = `${ownTable.name}.${own.name} (${printType(own)}) and ${table.name}.${other.name} (${printType(other)})`;
  if (own.type.code !== other.type.code) {
    throw schemaError(`Foreign key ${name} needs columns of one type, not ${pair}`);
  }
  if (own.type.code === 'ARRAY' || own.type.code === 'JSON') {
    throw schemaError(`Foreign key ${name} cannot use ${pair}: ARRAY and JSON cannot be compared`);
  }
  if (own.allowCommitTimestamp || other.allowCommitTimestamp) {
    throw schemaError(`Foreign key ${name} cannot use ${pair}: allow_commit_timestamp is set`);
  }
}

function refuseTwice(name: string, columns: readonly string[]): void {
  const twice = columns.find((column, at) => columns.findIndex((other) => sameName(other, column)) < at);
  if (twice !== undefined) throw schemaError(`Foreign key ${name} names column ${twice} twice on one side`);
}
