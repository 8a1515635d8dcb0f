import { maxCellBytes } from '../../../base/limits.ts';
import { PoisonError } from '../records/poison.ts';
import type { ColumnType, TableColumn } from '../tables/table-schema.ts';
import { type Cell, commitTimestampCell } from './cell.ts';
import { readDecimal, toInt64, toNumeric } from './decimal.ts';
import { Bytes, Double, ExactNumber, Unfit } from './document-leaf.ts';
import { describeJson, type JsonValue, parseExactJsonText } from './exact-json.ts';
import { datePattern, type ReadTime, timestampPattern } from './time-pattern.ts';
import { readDate, readLocalTimestamp, readTimestamp } from './timestamp.ts';
import { localToUtc } from './zone-offset.ts';

/** The most characters a STRING(MAX) holds. Source: cloud.google.com/spanner/quotas. */
const MAX_STRING_CHARACTERS = 2_621_440;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const FLOAT = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_FINITE = new Set(['NaN', 'Infinity', '-Infinity']);

/** Reads values into one column. Each throws a `PoisonError` that says why a value does not fit. */
export interface ColumnReader {
  fromJson(value: JsonValue): Cell;
  /** From a key, a header or a record's coordinates. */
  fromText(text: string): Cell;
  fromBytes(bytes: Buffer): Cell;
}

interface ScalarReader {
  /** Undefined when the value is of another kind than the type holds. */
  readonly json: (value: JsonValue) => Cell | undefined;
  readonly text: (text: string) => Cell | undefined;
}

/**
 * Makes the reading of one column's values.
 *
 * @param times pattern and zone of a TIMESTAMP or DATE that is not in RFC 3339; a zone alone is for texts that name none
 * @throws {RangeError} for a pattern or zone that cannot be read, or a type that no pipeline can write
 */
export function columnReader(
  column: TableColumn,
  times: { readonly format: string | undefined; readonly zone: string | undefined },
): ColumnReader {
  const { type } = column;
  if (!type) throw new RangeError(`No pipeline can write type ${column.typeText}`);
  const scalar = scalarReader(type, times, column.allowCommitTimestamp);
  const refuse = (value: string): never => {
    throw new PoisonError('unmappable', `Column ${column.name}: ${value} is no ${column.typeText}`);
  };
  const one = (value: JsonValue): Cell => {
    if (value instanceof Unfit) return refuse(value.what);
    return scalar.json(value) ?? refuse(describeJson(value));
  };
  return {
    fromJson(value) {
      if (value === null) return null;
      if (!type.array) return fitted(column, one(value));
      if (!isArray(value)) return refuse(describeJson(value));
      return fitted(
        column,
        value.map((element) => (element === null ? null : one(element))),
      );
    },
    fromText(text) {
      const cell = type.array ? undefined : scalar.text(text);
      return fitted(column, cell ?? refuse(describeJson(text)));
    },
    fromBytes(bytes) {
      if (type.code === 'BYTES' && !type.array) return fitted(column, bytes.toString('base64'));
      return this.fromText(utf8(bytes, column.name));
    },
  };
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Buffer, column: string): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new PoisonError('undecodable', `Column ${column}: its ${bytes.length} bytes are not valid UTF-8`);
  }
}

function scalarReader(
  type: ColumnType,
  times: { readonly format: string | undefined; readonly zone: string | undefined },
  allowCommitTimestamp: boolean,
): ScalarReader {
  switch (type.code) {
    case 'BOOL':
      return { json: (value) => (typeof value === 'boolean' ? value : undefined), text: readBool };
    case 'INT64':
      return { json: jsonInt64, text: decimalText(toInt64) };
    case 'NUMERIC':
      return { json: jsonNumeric, text: decimalText(toNumeric) };
    case 'FLOAT64':
      return { json: jsonFloat64, text: readFloat(Number.MAX_VALUE) };
    case 'FLOAT32':
      return { json: jsonFloat32, text: readFloat(FLOAT32_MAX) };
    case 'STRING':
      return fromString((text) => (text.isWellFormed() ? text : undefined));
    case 'BYTES':
      return { json: jsonBytes, text: readBase64 };
    case 'JSON':
      return { json: jsonText, text: (text) => jsonText(parseExactJsonText(text)) };
    case 'UUID':
      return fromString((text) => (UUID.test(text) ? text.toLowerCase() : undefined));
    case 'DATE':
      return fromString(times.format === undefined ? readDate : datePattern(times.format));
    case 'TIMESTAMP':
      return fromString(timestampReader(times, allowCommitTimestamp));
  }
}

function timestampReader(
  { format, zone }: { readonly format: string | undefined; readonly zone: string | undefined },
  allowCommitTimestamp: boolean,
): ReadTime {
  const read = format === undefined ? rfc3339Reader(zone) : timestampPattern(format, zone);
  if (!allowCommitTimestamp) return read;
  return (text) => (text === commitTimestampCell ? text : read(text));
}

/** With a zone, a text that names none is local time there. */
function rfc3339Reader(zone: string | undefined): ReadTime {
  if (zone === undefined) return readTimestamp;
  const toUtc = localToUtc(zone);
  return (text) => readTimestamp(text) ?? readLocalTimestamp(text, toUtc);
}

function fromString(read: (text: string) => Cell | undefined): ScalarReader {
  return { json: (value) => (typeof value === 'string' ? read(value) : undefined), text: read };
}

function jsonBytes(value: JsonValue): Cell | undefined {
  if (value instanceof Bytes) return value.buffer.toString('base64');
  return typeof value === 'string' ? readBase64(value) : undefined;
}

function readBase64(text: string): Cell | undefined {
  return BASE64.test(text) ? Buffer.from(text, 'base64').toString('base64') : undefined;
}

function readBool(text: string): Cell | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function decimalText(to: (decimal: NonNullable<ReturnType<typeof readDecimal>>) => string | undefined) {
  return (text: string): Cell | undefined => {
    const decimal = readDecimal(text);
    return decimal && to(decimal);
  };
}

/** A whole number; also as a string, which is how many producers keep 64 bits whole in JSON. */
function jsonInt64(value: JsonValue): Cell | undefined {
  const number = value instanceof Double ? value.value : value;
  if (typeof number === 'number') return Number.isSafeInteger(number) ? String(number) : undefined;
  return exactDecimal(number, toInt64);
}

/** A binary number stands for the shortest decimal that reads back as it: what its producer would write in JSON. */
function jsonNumeric(value: JsonValue): Cell | undefined {
  const number = value instanceof Double ? value.value : value;
  return exactDecimal(typeof number === 'number' ? String(number) : number, toNumeric);
}

function exactDecimal(
  value: JsonValue,
  to: (decimal: NonNullable<ReturnType<typeof readDecimal>>) => string | undefined,
): Cell | undefined {
  const text = value instanceof ExactNumber ? value.source : value;
  if (typeof text !== 'string') return undefined;
  const decimal = readDecimal(text);
  return decimal && to(decimal);
}

/** What rounds to the largest finite FLOAT32 and no further. */
export const FLOAT32_MAX = 2 ** 128 - 2 ** 103;

function jsonFloat64(value: JsonValue): Cell | undefined {
  if (!(value instanceof Double)) return decimalFloat64(value);
  return Number.isFinite(value.value) ? value.value : String(value.value);
}

/** A decimal text has a nearest FLOAT32; a binary number of 64 bits would lose digits that were there. */
function jsonFloat32(value: JsonValue): Cell | undefined {
  if (!(value instanceof Double)) return decimalFloat32(value);
  return Number.isFinite(value.value) ? undefined : String(value.value);
}

const decimalFloat64 = jsonFloat(Number.MAX_VALUE);
const decimalFloat32 = jsonFloat(FLOAT32_MAX);

function jsonFloat(max: number): (value: JsonValue) => Cell | undefined {
  return (value) => {
    if (typeof value === 'string') return NOT_FINITE.has(value) ? value : undefined;
    const number = value instanceof ExactNumber ? Number(value.source) : value;
    return typeof number === 'number' && Math.abs(number) <= max ? number : undefined;
  };
}

function readFloat(max: number): (text: string) => Cell | undefined {
  return (text) => {
    if (NOT_FINITE.has(text)) return text;
    if (!FLOAT.test(text)) return undefined;
    const number = Number(text);
    return Math.abs(number) <= max ? number : undefined;
  };
}

function jsonText(value: JsonValue): Cell | undefined {
  const text = JSON.stringify(value);
  return text.isWellFormed() ? text : undefined;
}

/** Refuses what is longer than the column or than any cell. */
function fitted(column: TableColumn, cell: Cell): Cell {
  if (typeof cell === 'string') fitText(column, cell);
  else if (typeof cell === 'object' && cell !== null) {
    let bytes = 0;
    for (const element of cell) {
      if (typeof element === 'string') {
        fitText(column, element);
        bytes += Buffer.byteLength(element);
      } else bytes += 8;
    }
    if (bytes > maxCellBytes) tooLarge(column, bytes);
  }
  return cell;
}

function fitText(column: TableColumn, text: string): void {
  const code = column.type?.code;
  const maxLength = column.type?.maxLength;
  if (text.length > MAX_STRING_CHARACTERS / 2) refuseOverCell(column, text);
  if (maxLength === undefined || (code === 'STRING' && text.length <= maxLength)) return;
  if (code === 'STRING') {
    const characters = text.length > 2 * maxLength ? text.length : [...text].length;
    if (characters > maxLength) tooLong(column, `${characters} characters`);
  } else if (code === 'BYTES') {
    const bytes = Buffer.byteLength(text, 'base64');
    if (bytes > maxLength) tooLong(column, `${bytes} bytes`);
  }
}

function refuseOverCell(column: TableColumn, text: string): void {
  const bytes = Buffer.byteLength(text, column.type?.code === 'BYTES' ? 'base64' : 'utf8');
  if (bytes > maxCellBytes) tooLarge(column, bytes);
  if (column.type?.code !== 'STRING' || text.length <= MAX_STRING_CHARACTERS) return;
  const characters = [...text].length;
  if (characters > MAX_STRING_CHARACTERS) {
    throw new PoisonError(
      'too-large',
      `Column ${column.name}: ${characters} characters, over ${MAX_STRING_CHARACTERS}`,
    );
  }
}

function tooLarge(column: TableColumn, bytes: number): never {
  throw new PoisonError('too-large', `Column ${column.name}: ${bytes} bytes, over the cell's ${maxCellBytes}`);
}

function tooLong(column: TableColumn, length: string): never {
  throw new PoisonError('unmappable', `Column ${column.name}: ${length} do not fit into ${column.typeText}`);
}
