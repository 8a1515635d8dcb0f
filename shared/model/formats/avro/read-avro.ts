import { PoisonError } from '../../events/records/poison.ts';
import { Bytes, floatLeaf } from '../../events/values/document-leaf.ts';
import type { JsonObject, JsonValue } from '../../events/values/exact-json.ts';
import { longLeaf } from '../binary-values.ts';
import { ByteCursor } from '../byte-cursor.ts';
import { meant } from '../meaning.ts';
import { newObject, setField } from '../object-fields.ts';
import type { AvroRecord, AvroType } from './avro-type.ts';

const MAX_DEPTH = 128;
const INT_MAX = 2 ** 31 - 1;
const INT_MIN = -(2 ** 31);
/**
 * Most values cost a byte at least, so that a record bounds itself; those that cost none (nulls, empty records in arrays of
 * any length) are bounded by this.
 */
const MIN_VALUES = 65_536;
const VALUES_PER_BYTE = 4;

/**
 * Reads one value by its writer's schema; the document's names and their order are the schema's.
 *
 * int, long and decimal keep every digit; bytes and fixed are `Bytes`; an enum is its symbol; a union is its branch's value.
 * Dates and times are texts as RFC 3339 has them (local ones without a zone). What the schema means and no column could
 * hold, like the day 5,000,000, is `Unfit`: poison for those who ask for it alone.
 *
 * @throws {PoisonError} class `undecodable` for bytes that are not one value of this type, whole and nothing after it
 */
export function readAvro(type: AvroType, bytes: Buffer): JsonValue {
  const cursor = new ByteCursor(bytes);
  const reading: Reading = { cursor, valuesLeft: MIN_VALUES + VALUES_PER_BYTE * bytes.length };
  const value = readValue(type, reading, 0);
  if (cursor.left > 0) cursor.fail(`ends ${cursor.left} bytes before the record does: another schema wrote it`);
  return value;
}

interface Reading {
  readonly cursor: ByteCursor;
  valuesLeft: number;
}

function readValue(type: AvroType, reading: Reading, depth: number): JsonValue {
  const { cursor } = reading;
  reading.valuesLeft--;
  if (reading.valuesLeft < 0) throw new PoisonError('too-large', `${cursor.end} bytes hold more values than bytes`);
  if (depth > MAX_DEPTH) cursor.fail(`nests deeper than ${MAX_DEPTH} values`);
  switch (type.kind) {
    case 'null':
      return null;
    case 'boolean':
      return readBoolean(cursor);
    case 'int':
      return readInt(cursor);
    case 'long':
      return longLeaf(cursor.zigzag());
    case 'float':
      return floatLeaf(cursor.float());
    case 'double':
      return floatLeaf(cursor.double());
    case 'bytes':
      return new Bytes(cursor.take(readLength(cursor)));
    case 'string':
      return cursor.text(readLength(cursor));
    case 'fixed':
      return new Bytes(cursor.take(type.size));
    case 'enum':
      return pick(type.symbols, cursor, 'symbol');
    case 'union':
      return readValue(pick(type.branches, cursor, 'branch'), reading, depth + 1);
    case 'array':
      return readArray(type.items, reading, depth + 1);
    case 'map':
      return readMap(type.items, reading, depth + 1);
    case 'record':
      return readRecord(type, reading, depth + 1);
    case 'meaning':
      return meant(type.meaning, readValue(type.of, reading, depth));
  }
}

function readBoolean(cursor: ByteCursor): boolean {
  const byte = cursor.byte();
  return byte > 1 ? cursor.fail(`has ${byte} where a boolean stands`) : byte === 1;
}

function readInt(cursor: ByteCursor): number {
  const value = cursor.zigzag();
  if (value > INT_MAX || value < INT_MIN) return cursor.fail(`has ${value} where 32 bits stand`);
  return Number(value);
}

/** A length that the bytes after it can have. */
function readLength(cursor: ByteCursor): number {
  const length = cursor.zigzag();
  return length < 0 || length > cursor.left ? cursor.fail(`has a length of ${length}`) : Number(length);
}

function pick<T>(choices: readonly T[], cursor: ByteCursor, what: string): T {
  const at = cursor.zigzag();
  return choices[Number(at)] ?? cursor.fail(`has ${what} ${at} of ${choices.length}`);
}

function readRecord({ fields }: AvroRecord, reading: Reading, depth: number): JsonObject {
  const record = newObject();
  for (const { name, type } of fields) setField(record, name, readValue(type, reading, depth));
  return record;
}

function readArray(items: AvroType, reading: Reading, depth: number): JsonValue[] {
  const array: JsonValue[] = [];
  readBlocks(reading, () => array.push(readValue(items, reading, depth)));
  return array;
}

/** Of two entries with one name the later counts, as in JSON. */
function readMap(values: AvroType, reading: Reading, depth: number): JsonObject {
  const { cursor } = reading;
  const map = newObject();
  readBlocks(reading, () => setField(map, cursor.text(readLength(cursor)), readValue(values, reading, depth)));
  return map;
}

/** Blocks of items, each with its count, or with minus its count and its size; a count of zero ends them. */
function readBlocks({ cursor }: Reading, readItem: () => void): void {
  for (;;) {
    const count = cursor.zigzag();
    if (count === 0) return;
    const sized = count < 0;
    const end = sized ? readLength(cursor) + cursor.at : undefined;
    for (let item = sized ? -count : count; item > 0; item--) readItem();
    if (end !== undefined && end !== cursor.at) cursor.fail(`has a block of another size than ${end} says`);
  }
}
