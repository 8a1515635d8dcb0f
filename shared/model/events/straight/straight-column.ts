import { type ReadSource, sourceReader } from '../records/read-source.ts';
import { WireWriter } from '../row-bytes.ts';
import type { PlannedColumn } from '../tables/column-plan.ts';
import type { ColumnType, TableColumn } from '../tables/table-schema.ts';
import { commitTimestampCell } from '../values/cell.ts';
import { type ColumnReader, columnReader, FLOAT32_MAX } from '../values/convert.ts';
import * as kinds from './value-kind.ts';
import {
  floatWriter,
  INT64_DIGITS,
  LOOP_BYTES,
  type WriteCell,
  type WriteNumber,
  writeBool,
  writeDouble,
  writeFiniteDouble,
  writeInteger,
  writeIntegerText,
  writeLong,
  writeNull,
  writeNumeric,
  writeSingle,
  writeText,
  writeTextHead,
  writeUuid,
} from './write-cells.ts';
import {
  datePatternWriter,
  dayWriter,
  instantWriter,
  timestampPatternWriter,
  timestampWriter,
  writeDate,
} from './write-times.ts';

/** More characters than this may be more than a cell's limit: the reference counts them. */
const MAX_PLAIN_BYTES = 1_310_720;

/** What a record does not have leaves the column as it is. */
export const ABSENT = -1;
/** The general path must look at the record. */
export const REFUSED = -2;

/** One column of rows that are written straight, and where it comes from. */
export type StraightColumn =
  | {
      readonly from: 'field';
      readonly path: string;
      /** By kind; undefined where the reference reads the value. */
      readonly writers: readonly (WriteCell | undefined)[];
      /** As `writers`, for binary numbers. */
      readonly numberWriters: readonly (WriteNumber | undefined)[];
      /**
       * By kind, the most bytes that are copied as they stand; 0 where a writer must look, `ABSENT` where the row has no cell,
       * `REFUSED` where the whole record is left to the general path.
       */
      readonly copied: Int32Array;
      readonly reader: ColumnReader;
    }
  /** The record's key as text; undefined where the reference reads it. */
  | { readonly from: 'key'; readonly write: WriteCell; readonly read: ReadSource; readonly notNull: boolean }
  | { readonly from: 'record'; readonly read: ReadSource; readonly notNull: boolean }
  /** The same in every row. */
  | { readonly from: 'fixed'; readonly bytes: Buffer };

/**
 * Compiles one column.
 *
 * @returns undefined for one that is made of other columns or of the key's fields, or changed after it was read
 * @throws {RangeError} as `columnReader`
 */
export function straightColumn({ column, source, optional }: PlannedColumn): StraightColumn | undefined {
  if (source === 'commit-timestamp') return { from: 'fixed', bytes: cellBytes(commitTimestampCell) };
  if (source.bitReverse || source.windowMs !== undefined) return undefined;
  if (source.from.kind === 'hash' || source.from.kind === 'keyField') return undefined;
  const reader = columnReader(column, source);
  const read = sourceReader(source.from, reader);
  const { notNull } = column;
  switch (source.from.kind) {
    case 'field': {
      const writers = writersOf(column, source);
      const copied = Int32Array.from(writers, (_, kind) => copiedBytes(column, optional, kind));
      const numberWriters = numberWritersOf(column, source);
      return { from: 'field', path: source.from.path, writers, numberWriters, copied, reader };
    }
    case 'key': {
      const write = keyWriter(column, source);
      return write ? { from: 'key', write, read, notNull } : { from: 'record', read, notNull };
    }
    default:
      return { from: 'record', read, notNull };
  }
}

interface Times {
  readonly format: string | undefined;
  readonly zone: string | undefined;
}

function copiedBytes(column: TableColumn, optional: boolean, kind: number): number {
  if (kind === kinds.MISSING && optional) return ABSENT;
  const { type, notNull } = column;
  if (notNull && (kind === kinds.NULL || kind === kinds.MISSING)) return REFUSED;
  if (!type || type.array) return 0;
  if (type.code === 'STRING' && kind === kinds.STRING) return textLimit(type);
  // A minus nought is not canonical; the caller sees to it.
  return type.code === 'INT64' && kind === kinds.INTEGER ? INT64_DIGITS : 0;
}

/** Characters are never more than bytes. */
function textLimit({ maxLength = MAX_PLAIN_BYTES }: ColumnType): number {
  return Math.min(maxLength, MAX_PLAIN_BYTES);
}

const writeTrue: WriteCell = (out, at) => writeBool(out, at, true);
const writeFalse: WriteCell = (out, at) => writeBool(out, at, false);

function writersOf(column: TableColumn, times: Times): (WriteCell | undefined)[] {
  const writers: (WriteCell | undefined)[] = new Array(kinds.KIND_COUNT).fill(undefined);
  writers[kinds.MISSING] = writeNull;
  writers[kinds.NULL] = writeNull;
  const { type } = column;
  if (!type || type.array) return writers;
  writers[kinds.STRING] = textWriter(column, times);
  switch (type.code) {
    case 'BOOL':
      writers[kinds.TRUE] = writeTrue;
      writers[kinds.FALSE] = writeFalse;
      break;
    case 'INT64':
      writers[kinds.INTEGER] = writeInteger;
      break;
    case 'FLOAT32':
    case 'FLOAT64': {
      const write = floatWriter(type.code === 'FLOAT32' ? FLOAT32_MAX : Number.MAX_VALUE);
      writers[kinds.INTEGER] = write;
      writers[kinds.DECIMAL] = write;
      break;
    }
    case 'NUMERIC':
      writers[kinds.INTEGER] = writeNumeric;
      writers[kinds.DECIMAL] = writeNumeric;
      break;
  }
  return writers;
}

function numberWritersOf({ type }: TableColumn, { format }: Times): (WriteNumber | undefined)[] {
  const writers: (WriteNumber | undefined)[] = new Array(kinds.KIND_COUNT).fill(undefined);
  if (!type || type.array) return writers;
  switch (type.code) {
    case 'INT64':
    case 'NUMERIC':
      writers[kinds.LONG] = writeLong;
      break;
    case 'FLOAT64':
      writers[kinds.LONG] = writeDouble;
      writers[kinds.DOUBLE] = writeFiniteDouble;
      break;
    case 'FLOAT32':
      writers[kinds.LONG] = writeDouble;
      writers[kinds.DOUBLE] = writeSingle;
      break;
    case 'DATE':
      if (format === undefined) writers[kinds.DAY] = dayWriter();
      break;
    case 'TIMESTAMP':
      if (format !== undefined) break;
      writers[kinds.MILLIS] = instantWriter(1_000);
      writers[kinds.MICROS] = instantWriter(1_000_000);
      break;
  }
  return writers;
}

/** The writing of a plain string; undefined for types of which the reference reads every string. */
function textWriter(column: TableColumn, { format, zone }: Times): WriteCell | undefined {
  switch (column.type?.code) {
    case 'STRING':
      return boundedText(textLimit(column.type));
    case 'INT64':
      return writeIntegerText;
    case 'NUMERIC':
      return writeNumeric;
    case 'UUID':
      return writeUuid;
    case 'DATE':
      return format === undefined ? writeDate : patterned(format, () => datePatternWriter(format));
    case 'TIMESTAMP':
      return format === undefined ? timestampWriter() : patterned(format, () => timestampPatternWriter(format, zone));
    default:
      return undefined;
  }
}

/** A pattern with half a surrogate pair has no bytes to compare with. */
function patterned(format: string, writer: () => WriteCell): WriteCell | undefined {
  return format.isWellFormed() ? writer() : undefined;
}

function boundedText(maxBytes: number): WriteCell {
  return (out, at, source, from, to) => (to - from > maxBytes ? -1 : writeText(out, at, source, from, to));
}

/** A key whose bytes read as a string of JSON reads; only a STRING takes what is not ASCII. */
function keyWriter(column: TableColumn, times: Times): WriteCell | undefined {
  if (column.type?.array) return undefined;
  const write = textWriter(column, times);
  if (!write || column.type?.code !== 'STRING') return write;
  const limit = Math.min(LOOP_BYTES, textLimit(column.type));
  return (out, at, source, from, to) => {
    let high = 0;
    if (to - from > limit) {
      for (let place = from; place < to; place++) high |= source[place] ?? 0;
      return high < 0x80 ? write(out, at, source, from, to) : -1;
    }
    let next = writeTextHead(out, at, to - from);
    for (let place = from; place < to; place++) {
      const byte = source[place] ?? 0;
      high |= byte;
      out[next++] = byte;
    }
    return high < 0x80 ? next : -1;
  };
}

function cellBytes(cell: string): Buffer {
  const writer = new WireWriter(cell.length + 64);
  writer.cell(cell);
  return writer.bytes.subarray(0, writer.at);
}
