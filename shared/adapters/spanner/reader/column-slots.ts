import { isUtf8 } from 'node:buffer';
import { type ColumnVector, halves } from '../../../model/tensors/column-vector.ts';
import { NUMBER_VALUE, STRING_VALUE, type WireCursor, type WireValues } from './protobuf-wire.ts';
import { DecodeError } from './reader-error.ts';
import type { ResultColumn } from './result-metadata.ts';
import { readFloatText, readInt64, timestampReader } from './scalars.ts';

/** Bytes of text in one column of one block; an `Int32Array` of offsets bounds it too. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;
/** A native copy of a shorter text costs more than its words one by one: measured. */
const MAX_LOOPED_BYTES = 48;
const WORD_BYTES = 4;
/** Of a text that is shorter than 128 bytes: its tag and its length. */
const HEAD_BYTES = 2;

/** What differs between kinds of columns: where a value goes. */
export interface Slots {
  grow(capacity: number): void;
  /**
   * Reads every `step`-th value in a loop of its own, from slot `slot` on, for as long as they have the kind's usual form: most
   * of a result's time goes here, and a loop that knows its kind takes half of what a call a value does.
   *
   * @returns the first that it did not read; `stop` or one behind it when it read them all
   */
  readRun?(values: WireValues, first: number, stop: number, step: number, slot: number): number;
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

/** Makes the slots of a column that is no ARRAY. */
export function slotsOf(column: ResultColumn, capacity: number): Slots {
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

/** A text of fewer than 128 bytes that fills the value: nearly every one. */
function isPlainText(bytes: Buffer, from: number, to: number): boolean {
  return bytes[from] === STRING_VALUE && bytes[from + 1] === to - from - HEAD_BYTES && to - from < 130;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
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
    readRun({ bytes, froms, tos }, first, stop, step, slot) {
      const into = pairs;
      let at = slot;
      let value = first;
      for (; value < stop; value += step) {
        const from = froms[value] ?? 0;
        const to = tos[value] ?? 0;
        if (!isPlainText(bytes, from, to)) break;
        readInt64(bytes, from + HEAD_BYTES, to, into, at++);
      }
      return value;
    },
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
    readRun({ bytes, froms, tos }, first, stop, step, slot) {
      const into = values;
      const view = viewOf(bytes);
      let at = slot;
      let value = first;
      for (; value < stop; value += step) {
        const from = froms[value] ?? 0;
        if (bytes[from] !== NUMBER_VALUE || (tos[value] ?? 0) - from !== 9) break;
        into[at++] = view.getFloat64(from + 1, true);
      }
      return value;
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
  const read = timestampReader();
  return {
    grow(size) {
      into = { seconds: grown(into.seconds, new Float64Array(size)), nanos: grown(into.nanos, new Int32Array(size)) };
    },
    readRun({ bytes, froms, tos }, first, stop, step, slot) {
      const target = into;
      const view = viewOf(bytes);
      let at = slot;
      let value = first;
      for (; value < stop; value += step) {
        const from = froms[value] ?? 0;
        const to = tos[value] ?? 0;
        if (!isPlainText(bytes, from, to)) break;
        read(view, from + HEAD_BYTES, to, target, at++);
      }
      return value;
    },
    readString: (bytes, from, to, slot) => read(viewOf(bytes), from, to, into, slot),
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
  let texts = Buffer.allocUnsafeSlow(capacity * 16);
  const reserve = (size: number): void => {
    if (size <= texts.length) return;
    if (size > MAX_TEXT_BYTES) throw new DecodeError(`column ${name} has more than ${MAX_TEXT_BYTES} bytes in a block`);
    const wider = Buffer.allocUnsafeSlow(Math.max(size, texts.length * 2));
    texts.copy(wider);
    texts = wider;
  };
  return {
    grow(size) {
      offsets = grown(offsets, new Int32Array(size + 1));
    },
    readRun({ bytes, froms, tos }, first, stop, step, slot) {
      const ends = offsets;
      const source = viewOf(bytes);
      let into = texts;
      let target = viewOf(into);
      let row = slot;
      let at = ends[slot] ?? 0;
      let value = first;
      for (; value < stop; value += step) {
        const from = froms[value] ?? 0;
        const to = tos[value] ?? 0;
        if (!isPlainText(bytes, from, to)) break;
        const start = from + HEAD_BYTES;
        if (at + to - start > into.length - WORD_BYTES) {
          reserve(at + to - start + WORD_BYTES);
          into = texts;
          target = viewOf(into);
        }
        // Word by word, up to three bytes more than there are: the next text is written over them.
        if (to - start > MAX_LOOPED_BYTES || to + WORD_BYTES > bytes.length) bytes.copy(into, at, start, to);
        else {
          for (let place = 0; place < to - start; place += WORD_BYTES) {
            target.setInt32(at + place, source.getInt32(start + place, true), true);
          }
        }
        at += to - start;
        ends[++row] = at;
      }
      return value;
    },
    readString(bytes, start, end, slot) {
      const at = offsets[slot] ?? 0;
      reserve(at + end - start);
      bytes.copy(texts, at, start, end);
      offsets[slot + 1] = at + end - start;
    },
    readNull(slot) {
      offsets[slot + 1] = offsets[slot] ?? 0;
    },
    view(nulls, length) {
      const text = texts.subarray(0, offsets[length] ?? 0);
      if (!isUtf8(text)) throw new DecodeError(`column ${name} is not UTF-8`);
      return { kind: 'text', nulls, offsets: offsets.subarray(0, length + 1), bytes: text };
    },
    renew() {
      offsets = new Int32Array(capacity + 1);
      texts = Buffer.allocUnsafeSlow(capacity * 16);
    },
  };
}

/** The old values at the beginning of a longer array. */
export function grown<T extends Uint8Array | Int32Array | Float64Array | BigInt64Array>(old: T, wider: T): T {
  if (old instanceof BigInt64Array && wider instanceof BigInt64Array) wider.set(old);
  else if (!(old instanceof BigInt64Array) && !(wider instanceof BigInt64Array)) wider.set(old);
  return wider;
}
