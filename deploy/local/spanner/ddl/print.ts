import type { CheckConstraint, Column, Index, KeyPart, Schema, Table } from '../schema.ts';
import { isAutomaticName } from './constraint-names.ts';
import { emptySchema } from './empty-schema.ts';
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
  for (const table of schema.tables.values()) statements.push(printTable(table));
  for (const index of schema.indexes.values()) statements.push(printIndex(index));
  return statements;
}

function printTable(table: Table): string {
  const columns = table.columns.map((column) => `  ${printColumn(column)},\n`).join('');
  const checks = table.checks.map((check) => `  ${printCheck(table, check)},\n`).join('');
  const clauses = [`) PRIMARY KEY(${printKey(table.primaryKey)})`];
  if (table.parent) {
    clauses.push(`  INTERLEAVE IN PARENT ${printName(table.parent.table)} ON DELETE ${table.parent.onDelete}`);
  }
  if (table.rowDeletionPolicy) {
    const { column, days } = table.rowDeletionPolicy;
    clauses.push(`  ROW DELETION POLICY (OLDER_THAN(${printName(column)}, INTERVAL ${days} DAY))`);
  }
  return `CREATE TABLE ${printName(table.name)} (\n${columns}${checks}${clauses.join(',\n')}`;
}

function printCheck(table: Table, check: CheckConstraint): string {
  const name = isAutomaticName(table, check) ? '' : `CONSTRAINT ${printName(check.name)} `;
  return `${name}CHECK (${check.expression})`;
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
