import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Column } from '../schema.ts';
import { columnOf, columnPlace, type TableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { checkCellSize } from './cell-size.ts';
import { parseCell } from './parse-cell.ts';
import type { WireValue } from './wire-value.ts';

const MAX_KEY_BYTES = 8192;
const COMMIT_TIMESTAMP_PLACEHOLDER = 'spanner.commit_timestamp()';

/** How the rows of one mutation are read. */
export interface RowWriter {
  readonly store: TableStore;
  /** The commit's timestamp in microseconds. */
  readonly timestamp: number;
  readonly columns: readonly Column[];
  readonly places: readonly number[];
  /** Places of columns with a DEFAULT that the mutation leaves out. */
  readonly missingDefaults: readonly number[];
  /** Those of them that are part of the key. */
  readonly missingKeyDefaults: readonly number[];
}

/** Looks up the columns that a mutation writes. */
export function rowWriter(
  store: TableStore,
  names: readonly string[],
  options: { timestamp: number; isUpdate: boolean },
): RowWriter {
  const places = names.map((name) => columnPlace(store, name));
  const given = new Set(places);
  if (given.size < places.length) {
    const twice = names.find((_, i) => places.indexOf(places[i] ?? -1) < i);
    throw new RpcError(status.INVALID_ARGUMENT, `Multiple values for column ${twice}`);
  }
  const columns = places.map((place) => columnOf(store, place));
  for (const place of places) refuseGenerated(store, place, options.isUpdate);
  const missingDefaults = store.table.columns.flatMap((column, place) =>
    column.defaultExpression !== undefined && !given.has(place) ? [place] : [],
  );
  for (const place of store.keyAt) {
    const column = columnOf(store, place);
    const mayLack = !options.isUpdate && (!column.notNull || column.defaultExpression !== undefined);
    if (given.has(place) || mayLack || column.generatedAs) continue;
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `A mutation of table ${store.table.name} must specify a value for the key column ${column.name}.`,
    );
  }
  const missingKeyDefaults = missingDefaults.filter((place) => store.keyAt.includes(place));
  return { store, timestamp: options.timestamp, columns, places, missingDefaults, missingKeyDefaults };
}

/** An update may name a generated key column, to say which row it means. */
function refuseGenerated(store: TableStore, place: number, isUpdate: boolean): void {
  const column = columnOf(store, place);
  if (!column.generatedAs || (isUpdate && store.keyAt.includes(place))) return;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `Cannot write into generated column \`${store.table.name}.${column.name}\`.`,
  );
}

/** The checked cells of one row, in the order of the mutation's columns. */
export function writeCells(writer: RowWriter, values: readonly WireValue[]): Cell[] {
  if (values.length !== writer.columns.length) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `Mutation of table ${writer.store.table.name} has ${writer.columns.length} columns but a row of ${values.length} values.`,
    );
  }
  return writer.columns.map((column, i) => writeCell(writer, column, values[i] ?? {}));
}

/** A row of the table with the given cells at their places and NULL elsewhere. */
export function newRow(writer: RowWriter, given: readonly Cell[]): Cell[] {
  const row: Cell[] = new Array(writer.store.table.columns.length).fill(null);
  for (let i = 0; i < given.length; i++) row[writer.places[i] ?? -1] = given[i] ?? null;
  return row;
}

/** Refuses a new row that leaves a NOT NULL column without a value; generated ones get theirs elsewhere. */
export function checkNotNull(store: TableStore, row: readonly Cell[]): void {
  const missing = store.table.columns.filter(
    (column, place) => column.notNull && row[place] === null && !column.generatedAs,
  );
  if (missing.length === 0) return;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `A new row in table ${store.table.name} does not specify a non-null value for these NOT NULL columns: ${missing.map((column) => column.name).join(',')}`,
  );
}

/** Refuses a key over 8 KiB. */
export function checkKeySize(tableOrIndex: string, key: string): void {
  if (key.length <= MAX_KEY_BYTES) return;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `A key of ${tableOrIndex} is ${key.length} bytes: the limit is ${MAX_KEY_BYTES} bytes.`,
  );
}

function writeCell(writer: RowWriter, column: Column, value: WireValue): Cell {
  if (column.type.code === 'TIMESTAMP' && typeof value.stringValue === 'string') {
    return writeTimestamp(writer, column, value);
  }
  const cell = parseCell(value, column.type);
  if (cell === undefined) throw invalidValue(writer, column);
  if (cell === null) {
    if (!column.notNull) return null;
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `${column.name} must not be NULL in table ${writer.store.table.name}.`,
    );
  }
  checkCellSize(writer.store.table.name, column, cell);
  return cell;
}

function writeTimestamp(writer: RowWriter, column: Column, value: WireValue): Cell {
  const name = `${writer.store.table.name}.${column.name}`;
  if (value.stringValue === COMMIT_TIMESTAMP_PLACEHOLDER) {
    if (column.allowCommitTimestamp) return BigInt(writer.timestamp) * 1000n;
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `Cannot write commit timestamp because the allow_commit_timestamp column option is not set to true for column ${name}.`,
    );
  }
  const cell = parseCell(value, column.type);
  if (typeof cell !== 'bigint') throw invalidValue(writer, column);
  if (column.allowCommitTimestamp && cell > BigInt(writer.timestamp) * 1000n) {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `Cannot write timestamps in the future to column ${name}, whose allow_commit_timestamp option is true.`,
    );
  }
  return cell;
}

function invalidValue(writer: RowWriter, column: Column): RpcError {
  const expected = column.type.code === 'ARRAY' ? `ARRAY<${column.type.element.code}>` : column.type.code;
  return new RpcError(
    status.FAILED_PRECONDITION,
    `Invalid value for column ${column.name} in table ${writer.store.table.name}: Expected ${expected}.`,
  );
}
