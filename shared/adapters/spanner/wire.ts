import type { protos } from '@google-cloud/spanner';
import type { Cell } from '../../model/events/cell.ts';
import type { TableMutation } from '../../model/events/change.ts';
import { readTimestamp } from '../../model/events/timestamp.ts';

type Value = protos.google.protobuf.IValue;
type ListValue = protos.google.protobuf.IListValue;
type Mutation = protos.google.spanner.v1.IMutation;
type KeySet = protos.google.spanner.v1.IKeySet;

const NULL: Value = Object.freeze({ nullValue: 'NULL_VALUE' });

/** A mutation as the protocol has it; cells already are in its form, so nothing is converted. */
export function wireMutation(mutation: TableMutation): Mutation {
  const { table } = mutation;
  if (mutation.operation === 'delete') return { delete: { table, keySet: wireKeys(mutation.keys) } };
  if (mutation.encoded) throw new TypeError('Encoded rows go over our own connection, not through the official client');
  const write = { table, columns: [...mutation.columns], values: mutation.rows.map(wireRow) };
  switch (mutation.operation) {
    case 'insert':
      return { insert: write };
    case 'update':
      return { update: write };
    case 'upsert':
      return { insertOrUpdate: write };
    case 'replace':
      return { replace: write };
  }
}

/** Keys as the protocol has them. */
export function wireKeys(keys: readonly (readonly Cell[])[]): KeySet {
  return { keys: keys.map(wireRow) };
}

function wireRow(cells: readonly Cell[]): ListValue {
  return { values: cells.map(wireValue) };
}

function wireValue(cell: Cell): Value {
  if (typeof cell === 'string') return { stringValue: cell };
  if (typeof cell === 'number') return wireNumber(cell);
  if (cell === null) return NULL;
  return typeof cell === 'boolean' ? { boolValue: cell } : { listValue: wireRow(cell) };
}

function wireNumber(number: number): Value {
  return Number.isFinite(number) ? { numberValue: number } : { stringValue: String(number) };
}

/** One row of the official client's reads, `json` off. */
export type ClientRow = readonly { readonly name: string; readonly value: unknown }[];

/** Takes the official client's decoded values back to cells, in the order in which they were asked for. */
export function cellsOf(row: ClientRow): Cell[] {
  return row.map(({ value }) => cellOf(value));
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (value instanceof Date) return 'getNanoseconds' in value ? timestampCell(value) : dateCell(value);
  if (typeof value === 'object' && 'value' in value) return cellOf(value.value);
  throw new TypeError(`A cell of ${typeof value} cannot be read back`);
}

function timestampCell(value: Date): Cell {
  return readTimestamp(value.toISOString()) ?? value.toISOString();
}

function dateCell(value: Date): Cell {
  const text: unknown = value.toJSON();
  return String(text);
}
