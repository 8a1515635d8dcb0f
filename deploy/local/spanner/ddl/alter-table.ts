import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Column, Schema, Table } from '../schema.ts';
import { expressionUser } from './check-expression.ts';
import { refuseForeignKeyUse } from './check-foreign-keys.ts';
import { checkColumn, checkConstraints, checkRowDeletionPolicy } from './check-table.ts';
import { constraintNames, withConstraintNames } from './constraint-names.ts';
import { MAX_COLUMNS } from './limits.ts';
import type { ParsedConstraint } from './parse-constraint.ts';
import { printType } from './print-type.ts';
import { refuseGranted } from './roles.ts';
import { childrenOf, columnNamed, findColumn, findTable, indexesOn, sameName, schemaError } from './schema-error.ts';
import type { ColumnChange, ColumnDefinition, TableAction } from './statement.ts';

/** Gives the table as the action leaves it. */
export function alterTable(schema: Schema, name: string, action: TableAction): Table {
  const table = findTable(schema, name);
  switch (action.kind) {
    case 'add-column':
      return addColumn(table, action.column, action.ifNotExists);
    case 'drop-column':
      return dropColumn(schema, table, action.column);
    case 'alter-column':
      return alterColumn(schema, table, action.column, action.change);
    case 'add-constraint':
      return addConstraint(schema, table, action.constraint);
    case 'drop-constraint':
      return dropConstraint(table, action.name);
    case 'add-policy':
      if (table.rowDeletionPolicy)
        throw schemaError(`Table ${table.name} already has a row deletion policy: REPLACE it`);
      return withPolicy(schema, table, action.policy);
    case 'replace-policy':
      if (!table.rowDeletionPolicy) throw schemaError(`Table ${table.name} has no row deletion policy: ADD one`);
      return withPolicy(schema, table, action.policy);
    case 'drop-policy':
      if (!table.rowDeletionPolicy) throw schemaError(`Table ${table.name} has no row deletion policy to drop`);
      return { ...table, rowDeletionPolicy: undefined };
    case 'set-on-delete':
      return setOnDelete(schema, table, action.onDelete);
  }
}

function addColumn(table: Table, column: Column, ifNotExists: boolean): Table {
  if (columnNamed(table, column.name)) {
    if (ifNotExists) return table;
    throw schemaError(`Duplicate column name ${table.name}.${column.name}`);
  }
  if (column.notNull && column.defaultExpression === undefined && !column.generatedAs) {
    throw schemaError(
      `Cannot add NOT NULL column ${table.name}.${column.name} to existing table ${table.name}: give it a DEFAULT, ` +
        'or add it nullable, fill it, then set NOT NULL',
    );
  }
  if (table.columns.length >= MAX_COLUMNS) throw schemaError(`Table ${table.name} already has ${MAX_COLUMNS} columns`);
  checkColumn(table, column);
  return { ...table, columns: [...table.columns, column] };
}

function dropColumn(schema: Schema, table: Table, name: string): Table {
  const column = findColumn(table, name);
  if (isKey(table, column)) throw schemaError(`Cannot drop key column ${column.name} from table ${table.name}`);
  refuseForeignKeyUse(schema, table, column.name, 'drop');
  refuseGranted(schema, table, column.name);
  const index = indexesOn(schema, table).find((candidate) =>
    [...candidate.key.map((part) => part.column), ...candidate.storing].some((used) => sameName(used, name)),
  );
  if (index) {
    throw schemaError(`Cannot drop column ${column.name} from table ${table.name}: index ${index.name} uses it`);
  }
  if (table.rowDeletionPolicy && sameName(table.rowDeletionPolicy.column, name)) {
    throw schemaError(`Cannot drop column ${column.name} from table ${table.name}: its row deletion policy uses it`);
  }
  return { ...table, columns: table.columns.filter((kept) => kept !== column) };
}

function addConstraint(schema: Schema, table: Table, constraint: ParsedConstraint): Table {
  const { checks, foreignKeys } = table;
  const longer =
    constraint.kind === 'check'
      ? { ...table, checks: [...checks, constraint.check] }
      : { ...table, foreignKeys: [...foreignKeys, constraint.foreignKey] };
  const changed = withConstraintNames(schema, longer);
  checkConstraints(schema, changed);
  return changed;
}

function dropConstraint(table: Table, name: string): Table {
  const checks = table.checks.filter((check) => !sameName(check.name, name));
  const foreignKeys = table.foreignKeys.filter((foreignKey) => !sameName(foreignKey.name, name));
  if (checks.length + foreignKeys.length < constraintNames(table).length) return { ...table, checks, foreignKeys };
  throw new RpcError(status.NOT_FOUND, `Constraint not found in table ${table.name}: ${name}`);
}

function alterColumn(schema: Schema, table: Table, name: string, change: ColumnChange): Table {
  const column = findColumn(table, name);
  refuseGeneratedChange(table, column, change);
  const changed = changeColumn(schema, table, column, change);
  checkColumn(table, changed);
  return { ...table, columns: table.columns.map((kept) => (kept === column ? changed : kept)) };
}

function changeColumn(schema: Schema, table: Table, column: Column, change: ColumnChange): Column {
  switch (change.kind) {
    case 'default':
      return { ...column, defaultExpression: change.expression };
    case 'commit-timestamp':
      refuseInheritedChange(schema, table, column, column.allowCommitTimestamp !== change.allowed);
      if (change.allowed) refuseForeignKeyUse(schema, table, column.name, 'set allow_commit_timestamp of');
      return { ...column, allowCommitTimestamp: change.allowed };
    case 'definition':
      return redefineColumn(schema, table, column, change.definition);
  }
}

function redefineColumn(schema: Schema, table: Table, column: Column, definition: ColumnDefinition): Column {
  const where = `${table.name}.${column.name}`;
  const sized = isSized(column) && isSized(definition) && column.type.code === definition.type.code;
  const retyped = elementCode(column) !== elementCode(definition);
  if (column.type.code !== definition.type.code || retyped) {
    if (!sized && !(isSized(column) && isSized(definition) && isArray(column) === isArray(definition))) {
      throw schemaError(
        `Cannot change type of column ${where} from ${printType(column)} to ${printType(definition)}: ` +
          'only STRING and BYTES change into each other',
      );
    }
    if (isKey(table, column)) throw schemaError(`Cannot change the type of key column ${where}`);
    refuseForeignKeyUse(schema, table, column.name, 'change the type of');
    const user = expressionUser(table, column.name);
    if (user) throw schemaError(`Cannot change the type of column ${where}: ${user} may depend on it`);
  }
  if (isKey(table, column) && column.notNull !== definition.notNull) {
    throw schemaError(`Cannot change NOT NULL of key column ${where}`);
  }
  if (isArray(column) && definition.notNull && !column.notNull) {
    throw schemaError(`Cannot add NOT NULL to ARRAY column ${where}`);
  }
  refuseInheritedChange(schema, table, column, column.maxLength !== definition.maxLength);
  return {
    ...column,
    ...definition,
    allowCommitTimestamp: definition.allowCommitTimestamp ?? column.allowCommitTimestamp,
  };
}

/** A generated column keeps its type and expression: drop it and add another one instead. */
function refuseGeneratedChange(table: Table, column: Column, change: ColumnChange): void {
  const before = column.generatedAs;
  const after = change.kind === 'definition' ? change.definition.generatedAs : before;
  const where = `${table.name}.${column.name}`;
  if (!before && after) throw schemaError(`Cannot turn column ${where} into a generated column`);
  if (!before) return;
  if (change.kind !== 'definition') throw schemaError(`Generated column ${where} takes no DEFAULT and no options`);
  if (!after) throw schemaError(`Cannot turn generated column ${where} into a plain one`);
  const isSame = after.expression === before.expression && after.stored === before.stored;
  if (isSame && printType(column) === printType(change.definition)) return;
  throw schemaError(`Cannot change the type or the expression of generated column ${where}: drop it and add another`);
}

function refuseInheritedChange(schema: Schema, table: Table, column: Column, changes: boolean): void {
  if (!changes || !isKey(table, column)) return;
  const parent = table.parent ? findTable(schema, table.parent.table) : undefined;
  const above = parent?.primaryKey.some((part) => sameName(part.column, column.name)) ? parent : undefined;
  const relative = above ?? childrenOf(schema, table)[0];
  if (relative) {
    throw schemaError(
      `Cannot change key column ${table.name}.${column.name}: interleaved table ${relative.name} shares it`,
    );
  }
}

function withPolicy(schema: Schema, table: Table, policy: NonNullable<Table['rowDeletionPolicy']>): Table {
  const changed = { ...table, rowDeletionPolicy: policy };
  checkRowDeletionPolicy(schema, changed);
  return changed;
}

function setOnDelete(schema: Schema, table: Table, onDelete: 'CASCADE' | 'NO ACTION'): Table {
  if (!table.parent)
    throw schemaError(`Cannot set ON DELETE of table ${table.name}: it is not interleaved in a parent`);
  const changed = { ...table, parent: { ...table.parent, onDelete } };
  const tables = new Map(schema.tables).set(table.name.toLowerCase(), changed);
  for (const other of tables.values()) checkRowDeletionPolicy({ ...schema, tables }, other);
  return changed;
}

function isKey(table: Table, column: Column): boolean {
  return table.primaryKey.some((part) => sameName(part.column, column.name));
}

function isArray(column: Pick<Column, 'type'>): boolean {
  return column.type.code === 'ARRAY';
}

function isSized(column: Pick<Column, 'type'>): boolean {
  const code = elementCode(column);
  return code === 'STRING' || code === 'BYTES';
}

function elementCode(column: Pick<Column, 'type'>): string {
  return column.type.code === 'ARRAY' ? column.type.element.code : column.type.code;
}
