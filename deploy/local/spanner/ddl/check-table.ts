import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Column, Generation, KeyPart, Schema, Table } from '../schema.ts';
import { checkExpression } from './check-expression.ts';
import { checkForeignKeys, refusePolicyOnReferenced } from './check-foreign-keys.ts';
import { MAX_COLUMNS, MAX_KEY_COLUMNS } from './limits.ts';
import { printType } from './print-type.ts';
import { columnNamed, findTable, sameName, schemaError } from './schema-error.ts';

const MAX_INTERLEAVING_DEPTH = 7;

/** Throws unless the table is whole in itself and fits under its parent. */
export function checkTable(schema: Schema, table: Table): void {
  if (table.columns.length > MAX_COLUMNS) {
    throw schemaError(`Table ${table.name} has ${table.columns.length} columns: at most ${MAX_COLUMNS} are allowed`);
  }
  refuseDuplicates(
    table.columns.map((column) => column.name),
    (name) => `Duplicate column name ${table.name}.${name}`,
  );
  for (const column of table.columns) checkColumn(table, column);
  checkKey(table, table.primaryKey, `the primary key of table ${table.name}`);
  checkConstraints(schema, table);
  checkParent(schema, table);
  checkRowDeletionPolicy(schema, table);
}

/** Throws where a CHECK cannot be a function of its row, or a foreign key does not fit. */
export function checkConstraints(schema: Schema, table: Table): void {
  for (const { name, expression } of table.checks) checkExpression(expression, `check constraint ${name}`);
  checkForeignKeys(schema, table);
  for (const { referencedTable } of table.foreignKeys) {
    const after = { ...schema, tables: new Map(schema.tables).set(table.name.toLowerCase(), table) };
    refusePolicyOnReferenced(after, findTable(after, referencedTable));
  }
}

/** Throws where a column's options do not fit its type. */
export function checkColumn(table: Table, column: Column): void {
  if (column.allowCommitTimestamp && column.type.code !== 'TIMESTAMP') {
    throw schemaError(
      `Option allow_commit_timestamp is only allowed on TIMESTAMP columns, ${table.name}.${column.name} is ${printType(column)}`,
    );
  }
  if (column.allowCommitTimestamp && column.defaultExpression !== undefined) {
    throw schemaError(`Column ${table.name}.${column.name} cannot have both a DEFAULT and allow_commit_timestamp`);
  }
  if (column.generatedAs) checkGeneration(table, column, column.generatedAs);
}

function checkGeneration(table: Table, column: Column, { expression, stored }: Generation): void {
  const name = `${table.name}.${column.name}`;
  if (column.defaultExpression !== undefined || column.allowCommitTimestamp) {
    throw schemaError(`Generated column ${name} cannot have a DEFAULT or allow_commit_timestamp`);
  }
  if (!stored && column.notNull) throw schemaError(`Generated column ${name} is not STORED: it cannot be NOT NULL`);
  if (!stored && table.primaryKey.some((part) => sameName(part.column, column.name))) {
    throw schemaError(`Generated column ${name} is part of the primary key: it must be STORED`);
  }
  checkExpression(expression, `generated column ${name}`);
}

/** Throws unless each key part is a column of the table, once, of a type that orders. */
export function checkKey(table: Table, key: readonly KeyPart[], what: string): void {
  if (key.length > MAX_KEY_COLUMNS) {
    throw schemaError(`${what} has ${key.length} columns: at most ${MAX_KEY_COLUMNS} are allowed`);
  }
  refuseDuplicates(
    key.map((part) => part.column),
    (name) => `Column ${name} stands twice in ${what}`,
  );
  for (const part of key) {
    const column = columnNamed(table, part.column);
    if (!column) {
      throw new RpcError(
        status.INVALID_ARGUMENT,
        `${what} names column ${part.column}, which ${table.name} does not have`,
      );
    }
    if (column.type.code === 'ARRAY' || column.type.code === 'JSON') {
      throw schemaError(
        `Column ${table.name}.${column.name} of type ${printType(column)} cannot be part of ${what}: ARRAY and JSON have no order`,
      );
    }
  }
}

/** Throws unless the table's policy names a TIMESTAMP column and every table below goes with its rows. */
export function checkRowDeletionPolicy(schema: Schema, table: Table): void {
  if (!table.rowDeletionPolicy) return;
  refusePolicyOnReferenced(schema, table);
  const { column: name } = table.rowDeletionPolicy;
  const column = columnNamed(table, name);
  if (!column) {
    throw new RpcError(
      status.NOT_FOUND,
      `The row deletion policy of table ${table.name} names column ${name}, which it does not have`,
    );
  }
  if (column.type.code !== 'TIMESTAMP') {
    throw schemaError(
      `The row deletion policy of table ${table.name} needs a TIMESTAMP column, ${column.name} is ${printType(column)}`,
    );
  }
  for (const child of schema.tables.values()) {
    if (child.parent?.onDelete === 'NO ACTION' && isUnder(schema, child, table)) {
      throw schemaError(
        `Table ${table.name} cannot have a row deletion policy while ${child.name} is interleaved ON DELETE NO ACTION`,
      );
    }
  }
}

/** The table's parent, its parent, and so on; the nearest first. */
export function ancestorsOf(schema: Schema, table: Table): Table[] {
  const ancestors: Table[] = [];
  for (let at = table; at.parent; ) {
    at = findTable(schema, at.parent.table);
    ancestors.push(at);
  }
  return ancestors;
}

function isUnder(schema: Schema, table: Table, top: Table): boolean {
  return ancestorsOf(schema, table).some((ancestor) => sameName(ancestor.name, top.name));
}

function checkParent(schema: Schema, table: Table): void {
  if (!table.parent) return;
  const parent = findTable(schema, table.parent.table);
  parent.primaryKey.forEach((part, position) => {
    checkInheritedPart(table, parent, part, position);
  });
  const ancestors = ancestorsOf(schema, table);
  if (ancestors.length >= MAX_INTERLEAVING_DEPTH) {
    throw schemaError(`Table ${table.name} would be interleaved deeper than ${MAX_INTERLEAVING_DEPTH} levels`);
  }
  const aging = ancestors.find((ancestor) => ancestor.rowDeletionPolicy);
  if (aging && table.parent.onDelete === 'NO ACTION') {
    throw schemaError(
      `Table ${table.name} must be interleaved ON DELETE CASCADE: ${aging.name} above it has a row deletion policy`,
    );
  }
}

function checkInheritedPart(table: Table, parent: Table, wanted: KeyPart, position: number): void {
  const given = table.primaryKey[position];
  if (!given || !sameName(given.column, wanted.column)) {
    throw schemaError(
      `Interleaved table ${table.name} must begin its primary key with that of ${parent.name}: ` +
        `part ${position + 1} must be ${wanted.column}, not ${given?.column ?? 'missing'}`,
    );
  }
  const ours = columnNamed(table, given.column);
  const theirs = columnNamed(parent, wanted.column);
  if (!ours || !theirs) return;
  const differs =
    given.descending !== wanted.descending ||
    printType(ours) !== printType(theirs) ||
    ours.notNull !== theirs.notNull ||
    ours.allowCommitTimestamp !== theirs.allowCommitTimestamp;
  if (differs) {
    throw schemaError(
      `Key column ${table.name}.${ours.name} must have the same type, length, order, NOT NULL and options as ` +
        `${parent.name}.${theirs.name}, its interleaved parent's`,
    );
  }
}

function refuseDuplicates(names: readonly string[], problem: (name: string) => string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name.toLowerCase())) throw schemaError(problem(name));
    seen.add(name.toLowerCase());
  }
}
