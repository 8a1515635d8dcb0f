import type { CheckConstraint, Column, ForeignKey, Index, KeyPart, Schema, Table } from '../schema.ts';
import { isAutomaticName } from './constraint-names.ts';
import { emptySchema } from './empty-schema.ts';
import { printRoles } from './print-roles.ts';
import { printType } from './print-type.ts';
import { reservedWords } from './reserved-words.ts';
import { printRetention } from './version-retention.ts';

/**
 * The statements that make this schema from an empty one, in order, as GetDatabaseDdl gives them.
 *
 * @param databaseName stands in ALTER DATABASE, which is printed only where an option differs from its default
 */
export function printDdl(schema: Schema, databaseName = 'db'): string[] {
  const statements: string[] = [];
  if (schema.versionRetentionMs !== emptySchema.versionRetentionMs) {
    const period = printRetention(schema.versionRetentionMs);
    statements.push(`ALTER DATABASE \`${databaseName}\` SET OPTIONS (\n  version_retention_period = '${period}'\n)`);
  }
  const later: string[] = [];
  const printed = new Set<string>();
  for (const table of schema.tables.values()) {
    printed.add(table.name.toLowerCase());
    const { foreignKeys } = table;
    // A table that comes later cannot be referred to yet; the foreign keys behind keep their order.
    const found = foreignKeys.findIndex(({ referencedTable }) => !printed.has(referencedTable.toLowerCase()));
    const inline = found < 0 ? foreignKeys.length : found;
    statements.push(printTable({ ...table, foreignKeys: foreignKeys.slice(0, inline) }));
    for (const foreignKey of foreignKeys.slice(inline)) {
      later.push(`ALTER TABLE ${printName(table.name)} ADD ${printForeignKey(table, foreignKey)}`);
    }
  }
  statements.push(...later);
  for (const index of schema.indexes.values()) statements.push(printIndex(index));
  statements.push(...printRoles(schema, printName));
  return statements;
}

function printTable(table: Table): string {
  const columns = table.columns.map((column) => `  ${printColumn(column)},\n`).join('');
  const checks = table.checks.map((check) => `  ${printCheck(table, check)},\n`).join('');
  const references = table.foreignKeys.map((key) => `  ${printForeignKey(table, key)},\n`).join('');
  const clauses = [`) PRIMARY KEY(${printKey(table.primaryKey)})`];
  if (table.parent) {
    clauses.push(`  INTERLEAVE IN PARENT ${printName(table.parent.table)} ON DELETE ${table.parent.onDelete}`);
  }
  if (table.rowDeletionPolicy) {
    const { column, days } = table.rowDeletionPolicy;
    clauses.push(`  ROW DELETION POLICY (OLDER_THAN(${printName(column)}, INTERVAL ${days} DAY))`);
  }
  return `CREATE TABLE ${printName(table.name)} (\n${columns}${references}${checks}${clauses.join(',\n')}`;
}

function printCheck(table: Table, check: CheckConstraint): string {
  return `${printConstraintName(table, check)}CHECK (${check.expression})`;
}

function printForeignKey(table: Table, foreignKey: ForeignKey): string {
  const { columns, referencedTable, referencedColumns, onDelete, enforced } = foreignKey;
  const list = (names: readonly string[]): string => names.map(printName).join(', ');
  const action = onDelete === 'CASCADE' ? ' ON DELETE CASCADE' : '';
  const target = `${printName(referencedTable)}(${list(referencedColumns)})`;
  const what = `FOREIGN KEY(${list(columns)}) REFERENCES ${target}${action}${enforced ? '' : ' NOT ENFORCED'}`;
  return `${printConstraintName(table, foreignKey)}${what}`;
}

function printConstraintName(table: Table, constraint: CheckConstraint | ForeignKey): string {
  return isAutomaticName(table, constraint) ? '' : `CONSTRAINT ${printName(constraint.name)} `;
}

function printColumn(column: Column): string {
  const parts = [printName(column.name), printType(column)];
  if (column.notNull) parts.push('NOT NULL');
  if (column.defaultExpression !== undefined) parts.push(`DEFAULT (${column.defaultExpression})`);
  if (column.generatedAs)
    parts.push(`AS (${column.generatedAs.expression})${column.generatedAs.stored ? ' STORED' : ''}`);
  if (column.allowCommitTimestamp) parts.push('OPTIONS (\n    allow_commit_timestamp = true\n  )');
  return parts.join(' ');
}

function printIndex(index: Index): string {
  const flags = `${index.unique ? 'UNIQUE ' : ''}${index.nullFiltered ? 'NULL_FILTERED ' : ''}`;
  const storing = index.storing.length > 0 ? ` STORING (${index.storing.map(printName).join(', ')})` : '';
  const parent = index.interleavedIn === undefined ? '' : `, INTERLEAVE IN ${printName(index.interleavedIn)}`;
  const target = `${printName(index.table)}(${printKey(index.key)})`;
  return `CREATE ${flags}INDEX ${printName(index.name)} ON ${target}${storing}${parent}`;
}

function printKey(key: readonly KeyPart[]): string {
  return key.map((part) => `${printName(part.column)}${part.descending ? ' DESC' : ''}`).join(', ');
}

function printName(name: string): string {
  return reservedWords.has(name.toUpperCase()) ? `\`${name}\`` : name;
}
