import { isUtf8 } from 'node:buffer';
import { type ColumnVector, halves } from '../../../model/tensors/column-vector.ts';
import { readFieldEnd, readVarint, type WireCursor } from './protobuf-wire.ts';
import { DecodeError } from './reader-error.ts';
import type { ResultColumn } from './result-metadata.ts';
import { readFloatText, readInt64, readTimestamp } from './scalars.ts';

/** Bytes of text in one column of one block; an `Int32Array` of offsets bounds it too. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/** A native copy of a shorter text costs more than its bytes one by one: measured. */
const MAX_LOOPED_BYTES = 24;

/** Tags of `google.protobuf.Value`. */
const NULL_VALUE = 0x08;
const NUMBER_VALUE = 0x11;
const STRING_VALUE = 0x1a;
const BOOL_VALUE = 0x20;
const LIST_VALUE = 0x32;

/** Grows one column of a block, value by value. */
export interface ColumnBuilder {
  /** Values so far. */
  readonly length: number;
  /** Reads one `google.protobuf.Value` between the cursor and its end. */
  append(cursor: WireCursor): void;
  /** Forgets what lies behind the first `length` values. */
  truncate(length: number): void;
  /** The values so far; good until the next call. */
  view(): ColumnVector;
  /** Hands the values out and begins anew. */
  take(): ColumnVector;
}

/** What differs between kinds: where a value goes. */
interface Slots {
  grow(capacity: number): void;
  readString?(bytes: Buffer, from: number, to: number, slot: number): void;
  readNumber?(value: number, slot: number): void;
  readBool?(value: boolean, slot: number): void;
  readList?(cursor: WireCursor, slot: number): void;
  readNull(slot: number): void;
  truncate?(length: number): void;
  view(nulls: Uint8Array, length: number): ColumnVector;
  /** Takes new arrays: those of the last view belong to its owner now. */
  renew(): void;
}

/** Makes the builder of a column. `capacity` values are made room for at once; it grows beyond when it must. */
export function columnBuilder(column: ResultColumn, capacity: number): ColumnBuilder {
  const name = column.name;
  const slots = column.array ? listSlots(column, capacity) : slotsOf(column, capacity);
  let nulls = new Uint8Array(capacity);
  let length = 0;
  return {
    get length() {
      return length;
    },
    append(cursor) {
      if (length === nulls.length) {
        nulls = grown(nulls, new Uint8Array(length * 2));
        slots.grow(nulls.length);
      }
      if (readValue(cursor, slots, length, column)) {
        nulls[length] = 1;
        slots.readNull(length);
      }
      if (cursor.at !== cursor.end) throw new DecodeError(`a value of column ${name} has bytes behind it`);
      length += 1;
    },
    truncate(wanted) {
      nulls.fill(0, wanted);
      length = wanted;
      slots.truncate?.(wanted);
    },
    view: () => slots.view(nulls.subarray(0, length), length),
    take() {
      const vector = slots.view(nulls.subarray(0, length), length);
      slots.renew();
      nulls = new Uint8Array(capacity);
      length = 0;
      return vector;
    },
  };
}

/** @returns true for NULL */
function readValue(cursor: WireCursor, slots: Slots, slot: number, column: ResultColumn): boolean {
  const tag = cursor.at < cursor.end ? cursor.bytes[cursor.at++] : undefined;
  switch (tag) {
    case STRING_VALUE: {
      const end = readFieldEnd(cursor);
      if (!slots.readString) throw misfit(column, 'a text');
      slots.readString(cursor.bytes, cursor.at, end, slot);
      cursor.at = end;
      return false;
    }
    case NULL_VALUE:
      if (readVarint(cursor) !== 0) throw misfit(column, 'a NULL that is none');
      return true;
    case NUMBER_VALUE:
      if (!slots.readNumber) throw misfit(column, 'a number');
      if (cursor.at + 8 > cursor.end) throw new DecodeError('it ends inside a number');
      slots.readNumber(cursor.bytes.readDoubleLE(cursor.at), slot);
      cursor.at += 8;
      return false;
    case BOOL_VALUE:
      if (!slots.readBool) throw misfit(column, 'a BOOL');
      slots.readBool(readVarint(cursor) !== 0, slot);
      return false;
    case LIST_VALUE: {
      const end = readFieldEnd(cursor);
      if (!slots.readList) throw misfit(column, 'a list');
      slots.readList({ bytes: cursor.bytes, at: cursor.at, end }, slot);
      cursor.at = end;
      return false;
    }
    default:
      throw misfit(column, 'a value of an unknown kind');
  }
}

function misfit({ name, code, array }: ResultColumn, got: string): DecodeError {
  return new DecodeError(`column ${name} of type ${array ? `ARRAY<${code}>` : code} holds ${got}`);
}

function slotsOf(column: ResultColumn, capacity: number): Slots {
  switch (column.code) {
    case 'INT64':
      return int64Slots(capacity);
    case 'FLOAT32':
    case 'FLOAT64':
      return float64Slots(capacity);
    case 'BOOL':
      return boolSlots(capacity);
    case 'TIMESTAMP':
      return timestampSlots(capacity);
    default:
      return textSlots(column.name, capacity);
  }
}

function int64Slots(capacity: number): Slots {
  let values = new BigInt64Array(capacity);
  let pairs = halves(values);
  const use = (next: BigInt64Array<ArrayBuffer>): void => {
    values = next;
    pairs = halves(next);
  };
  return {
    grow: (size) => use(grown(values, new BigInt64Array(size))),
    readString: (bytes, from, to, slot) => readInt64(bytes, from, to, pairs, slot),
    readNull(slot) {
      pairs[slot * 2] = 0;
      pairs[slot * 2 + 1] = 0;
    },
    view: (nulls, length) => ({ kind: 'int64', nulls, values: values.subarray(0, length) }),
    renew: () => use(new BigInt64Array(capacity)),
  };
}

function float64Slots(capacity: number): Slots {
  let values = new Float64Array(capacity);
  return {
    grow(size) {
      values = grown(values, new Float64Array(size));
    },
    readNumber(value, slot) {
      values[slot] = value;
    },
    readString(bytes, from, to, slot) {
      values[slot] = readFloatText(bytes, from, to);
    },
    readNull(slot) {
      values[slot] = 0;
    },
    view: (nulls, length) => ({ kind: 'float64', nulls, values: values.subarray(0, length) }),
    renew() {
      values = new Float64Array(capacity);
    },
  };
}

function boolSlots(capacity: number): Slots {
  let values = new Uint8Array(capacity);
  return {
    grow(size) {
      values = grown(values, new Uint8Array(size));
    },
    readBool(value, slot) {
      values[slot] = value ? 1 : 0;
    },
    readNull(slot) {
      values[slot] = 0;
    },
    view: (nulls, length) => ({ kind: 'bool', nulls, values: values.subarray(0, length) }),
    renew() {
      values = new Uint8Array(capacity);
    },
  };
}

function timestampSlots(capacity: number): Slots {
  let into = { seconds: new Float64Array(capacity), nanos: new Int32Array(capacity) };
  return {
    grow(size) {
      into = { seconds: grown(into.seconds, new Float64Array(size)), nanos: grown(into.nanos, new Int32Array(size)) };
    },
    readString: (bytes, from, to, slot) => readTimestamp(bytes, from, to, into, slot),
    readNull(slot) {
      into.seconds[slot] = 0;
      into.nanos[slot] = 0;
    },
    view(nulls, length) {
      const { seconds, nanos } = into;
      return { kind: 'timestamp', nulls, seconds: seconds.subarray(0, length), nanos: nanos.subarray(0, length) };
    },
    renew() {
      into = { seconds: new Float64Array(capacity), nanos: new Int32Array(capacity) };
    },
  };
}

function textSlots(name: string, capacity: number): Slots {
  let offsets = new Int32Array(capacity + 1);
  let bytes = Buffer.allocUnsafe(capacity * 16);
  const reserve = (size: number): void => {
    if (size <= bytes.length) return;
    if (size > MAX_TEXT_BYTES) throw new DecodeError(`column ${name} has more than ${MAX_TEXT_BYTES} bytes in a block`);
    const wider = Buffer.allocUnsafe(Math.max(size, bytes.length * 2));
    bytes.copy(wider);
    bytes = wider;
  };
  return {
    grow(size) {
      offsets = grown(offsets, new Int32Array(size + 1));
    },
    readString(from, start, end, slot) {
      const at = offsets[slot] ?? 0;
      const to = at + end - start;
      reserve(to);
      if (end - start > MAX_LOOPED_BYTES) from.copy(bytes, at, start, end);
      else for (let place = start; place < end; place += 1) bytes[at + place - start] = from[place] ?? 0;
      offsets[slot + 1] = to;
    },
    readNull(slot) {
      offsets[slot + 1] = offsets[slot] ?? 0;
    },
    view(nulls, length) {
      const text = bytes.subarray(0, offsets[length] ?? 0);
      if (!isUtf8(text)) throw new DecodeError(`column ${name} is not UTF-8`);
      return { kind: 'text', nulls, offsets: offsets.subarray(0, length + 1), bytes: text };
    },
    renew() {
      offsets = new Int32Array(capacity + 1);
      bytes = Buffer.allocUnsafe(capacity * 16);
    },
  };
}

function listSlots(column: ResultColumn, capacity: number): Slots {
  const items = columnBuilder({ ...column, array: false }, capacity);
  let offsets = new Int32Array(capacity + 1);
  return {
    grow(size) {
      offsets = grown(offsets, new Int32Array(size + 1));
    },
    readList(cursor, slot) {
      while (cursor.at < cursor.end) {
        const tag = readVarint(cursor);
        if (tag !== 0x0a) throw new DecodeError(`an array of column ${column.name} has a field that is no value`);
        const end = readFieldEnd(cursor);
        items.append({ bytes: cursor.bytes, at: cursor.at, end });
        cursor.at = end;
      }
      offsets[slot + 1] = items.length;
    },
    readNull(slot) {
      offsets[slot + 1] = offsets[slot] ?? 0;
    },
    truncate: (length) => items.truncate(offsets[length] ?? 0),
    view: (nulls, length) => ({
      kind: 'list',
      nulls,
      offsets: offsets.subarray(0, length + 1),
      items: items.view(),
    }),
    renew() {
      items.take();
      offsets = new Int32Array(capacity + 1);
    },
  };
}

function grown<T extends Uint8Array | Int32Array | Float64Array | BigInt64Array>(old: T, wider: T): T {
  if (old instanceof BigInt64Array && wider instanceof BigInt64Array) wider.set(old);
  else if (!(old instanceof BigInt64Array) && !(wider instanceof BigInt64Array)) wider.set(old);
  return wider;
}
