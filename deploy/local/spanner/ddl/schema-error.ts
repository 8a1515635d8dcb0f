import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Column, Index, Schema, Table } from '../schema.ts';

/** A statement that is well formed but does not fit the schema. */
export function schemaError(problem: string): RpcError {
  return new RpcError(status.FAILED_PRECONDITION, problem);
}

export function findTable(schema: Schema, name: string): Table {
  const table = schema.tables.get(name.toLowerCase());
  if (!table) throw new RpcError(status.NOT_FOUND, `Table not found: ${name}`);
  return table;
}

export function findColumn(table: Table, name: string): Column {
  const column = columnNamed(table, name);
  if (!column) throw new RpcError(status.NOT_FOUND, `Column not found in table ${table.name}: ${name}`);
  return column;
}

export function columnNamed(table: Table, name: string): Column | undefined {
  return table.columns.find((column) => sameName(column.name, name));
}

export function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

export function childrenOf(schema: Schema, table: Table): Table[] {
  return [...schema.tables.values()].filter((other) => other.parent && sameName(other.parent.table, table.name));
}

export function indexesOn(schema: Schema, table: Table): Index[] {
  return [...schema.indexes.values()].filter((index) => sameName(index.table, table.name));
}
