import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Index, Schema, Table } from '../schema.ts';
import { alterTable } from './alter-table.ts';
import { foreignKeysOn } from './check-foreign-keys.ts';
import { ancestorsOf, checkKey, checkTable } from './check-table.ts';
import { constraintNames, withConstraintNames } from './constraint-names.ts';
import { parse } from './parse.ts';
import { changeGrants, changeMembers, createRole, dropRole, refuseGranted } from './roles.ts';
import { childrenOf, findColumn, findTable, indexesOn, sameName, schemaError } from './schema-error.ts';

/** Spanner's limits. Source: https://cloud.google.com/spanner/quotas#tables */
const MAX_TABLES = 5000;
const MAX_INDEXES = 10_000;
const MAX_INDEXES_PER_TABLE = 128;

/**
 * Applies one DDL statement.
 *
 * Whether existing rows fit (NOT NULL, a shorter length, a unique index) is not known here: see `dataChecks()`.
 *
 * @throws {RpcError} INVALID_ARGUMENT with line and column for syntax; FAILED_PRECONDITION and NOT_FOUND where the
 *   schema does not allow the statement; UNIMPLEMENTED for what Spanner has and the laptop's has not
 */
export function applyDdl(schema: Schema, statement: string): Schema {
  const parsed = parse(statement);
  switch (parsed.kind) {
    case 'create-table':
      return createTable(schema, parsed.table, parsed.ifNotExists);
    case 'create-index':
      return createIndex(schema, parsed.index, parsed.ifNotExists);
    case 'drop-table':
      return dropTable(schema, parsed.name, parsed.ifExists);
    case 'drop-index':
      return dropIndex(schema, parsed.name, parsed.ifExists);
    case 'alter-table': {
      const table = alterTable(schema, parsed.table, parsed.action);
      return { ...schema, tables: new Map(schema.tables).set(table.name.toLowerCase(), table) };
    }
    case 'create-role':
      return createRole(schema, parsed.name);
    case 'drop-role':
      return dropRole(schema, parsed.name);
    case 'grant':
    case 'revoke':
      return changeGrants(schema, parsed);
    case 'grant-role':
    case 'revoke-role':
      return changeMembers(schema, parsed);
    case 'alter-database':
      return { ...schema, versionRetentionMs: parsed.versionRetentionMs };
  }
}

function createTable(schema: Schema, table: Table, ifNotExists: boolean): Schema {
  if (ifNotExists && schema.tables.has(table.name.toLowerCase())) return schema;
  refuseTakenName(schema, table.name);
  if (schema.tables.size >= MAX_TABLES) throw schemaError(`The database already has ${MAX_TABLES} tables`);
  const named = withConstraintNames(schema, table);
  checkTable(schema, named);
  return { ...schema, tables: new Map(schema.tables).set(table.name.toLowerCase(), named) };
}

function createIndex(schema: Schema, index: Index, ifNotExists: boolean): Schema {
  if (ifNotExists && schema.indexes.has(index.name.toLowerCase())) return schema;
  refuseTakenName(schema, index.name);
  const table = findTable(schema, index.table);
  if (schema.indexes.size >= MAX_INDEXES) throw schemaError(`The database already has ${MAX_INDEXES} indexes`);
  if (indexesOn(schema, table).length >= MAX_INDEXES_PER_TABLE) {
    throw schemaError(`Table ${table.name} already has ${MAX_INDEXES_PER_TABLE} indexes`);
  }
  for (const part of index.key) findColumn(table, part.column);
  checkKey(table, index.key, `the key of index ${index.name}`);
  checkStoring(table, index);
  if (index.interleavedIn !== undefined) checkIndexParent(schema, table, index, index.interleavedIn);
  return { ...schema, indexes: new Map(schema.indexes).set(index.name.toLowerCase(), index) };
}

function checkStoring(table: Table, index: Index): void {
  const taken = new Set([...index.key, ...table.primaryKey].map((part) => part.column.toLowerCase()));
  for (const name of index.storing) {
    findColumn(table, name);
    if (taken.has(name.toLowerCase())) {
      throw schemaError(
        `Index ${index.name} cannot store column ${name}: it is stored already, or part of the index's or the table's key`,
      );
    }
    taken.add(name.toLowerCase());
  }
}

function checkIndexParent(schema: Schema, table: Table, index: Index, parentName: string): void {
  const parent = findTable(schema, parentName);
  if (![table, ...ancestorsOf(schema, table)].includes(parent)) {
    throw schemaError(
      `Index ${index.name} cannot be interleaved in ${parent.name}: it is no ancestor of ${table.name}`,
    );
  }
  const begins = parent.primaryKey.every((part, position) => {
    const given = index.key[position];
    return given && sameName(given.column, part.column) && given.descending === part.descending;
  });
  if (!begins) throw schemaError(`Index ${index.name} must begin its key with the primary key of ${parent.name}`);
}

function dropTable(schema: Schema, name: string, ifExists: boolean): Schema {
  if (ifExists && !schema.tables.has(name.toLowerCase())) return schema;
  const table = findTable(schema, name);
  const indexes = indexesOn(schema, table).map((index) => index.name);
  if (indexes.length > 0) throw schemaError(`Cannot drop table ${table.name} with indices: ${indexes.join(', ')}`);
  const children = childrenOf(schema, table).map((child) => child.name);
  if (children.length > 0) {
    throw schemaError(`Cannot drop table ${table.name} with interleaved tables: ${children.join(', ')}`);
  }
  const referring = foreignKeysOn(schema, table.name).filter((other) => other.table !== table);
  if (referring.length > 0) {
    const names = referring.map(({ foreignKey }) => foreignKey.name).join(', ');
    throw schemaError(`Cannot drop table ${table.name}: foreign keys refer to it: ${names}. Drop them first`);
  }
  refuseGranted(schema, table);
  const tables = new Map(schema.tables);
  tables.delete(table.name.toLowerCase());
  return { ...schema, tables };
}

function dropIndex(schema: Schema, name: string, ifExists: boolean): Schema {
  const indexes = new Map(schema.indexes);
  if (!indexes.delete(name.toLowerCase()) && !ifExists) {
    throw new RpcError(status.NOT_FOUND, `Index not found: ${name}`);
  }
  return { ...schema, indexes };
}

function refuseTakenName(schema: Schema, name: string): void {
  const key = name.toLowerCase();
  const constraints = [...schema.tables.values()].flatMap(constraintNames);
  if (schema.tables.has(key) || schema.indexes.has(key) || constraints.includes(key))
    throw schemaError(`Duplicate name in schema: ${name}.`);
}
