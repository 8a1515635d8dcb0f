import type { ColumnVector } from '../../../model/tensors/column-vector.ts';
import { grown, type Slots, slotsOf } from './column-slots.ts';
import {
  BOOL_VALUE,
  LIST_VALUE,
  NULL_VALUE,
  NUMBER_VALUE,
  readFieldEnd,
  readVarint,
  STRING_VALUE,
  type WireCursor,
  type WireValues,
} from './protobuf-wire.ts';
import { DecodeError } from './reader-error.ts';
import type { ResultColumn } from './result-metadata.ts';

/** Grows one column of a block, value by value. */
export interface ColumnBuilder {
  /** Values so far. */
  readonly length: number;
  /** Reads one `google.protobuf.Value` between the cursor and its end. */
  append(cursor: WireCursor): void;
  /** Reads every `step`-th value, from the `first` on, before `stop`. */
  appendEach(values: WireValues, first: number, stop: number, step: number): void;
  /** Forgets what lies behind the first `length` values. */
  truncate(length: number): void;
  /** The values so far; good until the next call. */
  view(): ColumnVector;
  /** Hands the values out and begins anew: in arrays of its own, or, with `reuse`, in those that were handed out. */
  take(): ColumnVector;
}

/**
 * Makes the builder of a column.
 *
 * @param capacity values that room is made for at once; it grows beyond when it must
 * @param reuse what was handed out is good until the next value is read
 */
export function columnBuilder(column: ResultColumn, capacity: number, reuse: boolean): ColumnBuilder {
  const name = column.name;
  const slots = column.array ? listSlots(column, capacity, reuse) : slotsOf(column, capacity);
  let nulls = new Uint8Array(capacity);
  let length = 0;
  let isHandedOut = false;
  const append = (cursor: WireCursor): void => {
    reserve(length + 1);
    if (readValue(cursor, slots, length, column)) {
      nulls[length] = 1;
      slots.readNull(length);
    }
    if (cursor.at !== cursor.end) throw new DecodeError(`a value of column ${name} has bytes behind it`);
    length += 1;
  };
  const truncate = (wanted: number): void => {
    isHandedOut = false;
    nulls.fill(0, wanted);
    length = wanted;
    slots.truncate?.(wanted);
  };
  const reserve = (wanted: number): void => {
    if (isHandedOut) truncate(0);
    if (wanted <= nulls.length) return;
    nulls = grown(nulls, new Uint8Array(Math.max(wanted, nulls.length * 2)));
    slots.grow(nulls.length);
  };
  return {
    get length() {
      return length;
    },
    append,
    appendEach(values, first, stop, step) {
      reserve(length + Math.ceil((stop - first) / step));
      for (let value = first; value < stop; value += step) {
        if (slots.readRun) {
          const next = slots.readRun(values, value, stop, step, length);
          length += (next - value) / step;
          if (next >= stop) return;
          value = next;
        }
        append({ bytes: values.bytes, at: values.froms[value] ?? 0, end: values.tos[value] ?? 0 });
      }
    },
    truncate,
    view: () => slots.view(nulls.subarray(0, length), length),
    take() {
      const vector = slots.view(nulls.subarray(0, length), length);
      length = 0;
      isHandedOut = reuse;
      if (reuse) return vector;
      slots.renew();
      nulls = new Uint8Array(capacity);
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

function listSlots(column: ResultColumn, capacity: number, reuse: boolean): Slots {
  const items = columnBuilder({ ...column, array: false }, capacity, reuse);
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
