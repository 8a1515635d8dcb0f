import { type ColumnVector, halves, textAt } from './column-vector.ts';
import { type OffsetAt, zoneClock } from './zone-clock.ts';

const TWO_32 = 0x1_0000_0000;

/** A column's values as numbers, in the order of the rows asked for; good until the next call. A NULL's is of no meaning. */
export type Gather = (vector: ColumnVector, rows: Int32Array) => Float64Array;

/** What several fills share: a column is gathered once for all tensors that are made of it. */
export interface Gathers {
  readonly numbers: (column: string) => Gather;
  /** Of an IANA zone. */
  readonly localSeconds: (column: string, zone: string) => Gather;
}

/** Makes the gatherings of one encoder. */
export function gathersOf(): Gathers {
  const known = new Map<string, Gather>();
  const once = (name: string, make: () => Gather): Gather => {
    const gather = known.get(name) ?? make();
    known.set(name, gather);
    return gather;
  };
  return {
    numbers: (column) => once(column, () => gatherOnce(gatherNumbers)),
    localSeconds: (column, zone) => once(`${column} ${zone}`, () => gatherOnce(gatherLocalSeconds(zoneClock(zone)))),
  };
}

/** Writes what a column holds in some rows. */
type Write = (vector: ColumnVector, rows: Int32Array, into: Float64Array) => void;

/**
 * Makes a gathering that keeps its array, and its last answer: several tensors are often made of one column.
 *
 * The rows of all batches of a block are views into one array, and are gathered at once: in its own order each of them goes all
 * over the column, which is read once then while it is near, not once a batch.
 */
export function gatherOnce(write: Write): Gather {
  return onceForAll((count) => new Float64Array(count), write);
}

/** A typed array of either kind. */
interface Sliced<T> {
  readonly length: number;
  subarray(from: number, to: number): T;
}

/** As `gatherOnce`, for what is no number: places in a vocabulary. */
export function onceForAll<V extends object, T extends Sliced<T>>(
  make: (count: number) => T,
  write: (vector: V, rows: Int32Array, into: T) => void,
): (vector: V, rows: Int32Array) => T {
  let items = make(0);
  let last: { readonly vector: V; readonly memory: ArrayBufferLike } | undefined;
  return (vector, rows) => {
    if (last?.vector !== vector || last.memory !== rows.buffer) {
      const all = new Int32Array(rows.buffer);
      if (items.length < all.length) items = make(all.length);
      last = undefined;
      write(vector, all, items);
      last = { vector, memory: rows.buffer };
    }
    const from = rows.byteOffset / Int32Array.BYTES_PER_ELEMENT;
    return items.subarray(from, from + rows.length);
  };
}

/**
 * Values as numbers: integers (the nearest double beyond 2^53), floats, BOOL as 0 and 1, NUMERIC as the nearest double.
 *
 * @throws {TypeError} for any other column
 */
export function gatherNumbers(vector: ColumnVector, rows: Int32Array, into: Float64Array): void {
  switch (vector.kind) {
    case 'int64':
      gatherHalves(halves(vector.values), rows, into);
      return;
    case 'float64':
      gatherFloats(vector.values, rows, into);
      return;
    case 'bool':
      gatherBytes(vector.values, rows, into);
      return;
    case 'text':
      for (let at = 0; at < rows.length; at += 1) into[at] = Number(textAt(vector, rows[at] ?? 0));
      return;
    case 'timestamp':
    case 'list':
      throw new TypeError(`A column of kind ${vector.kind} cannot be read as numbers`);
  }
}

function gatherHalves(pairs: Int32Array, rows: Int32Array, into: Float64Array): void {
  for (let at = 0; at < rows.length; at += 1) {
    const place = (rows[at] ?? 0) * 2;
    into[at] = (pairs[place + 1] ?? 0) * TWO_32 + ((pairs[place] ?? 0) >>> 0);
  }
}

function gatherFloats(values: Float64Array, rows: Int32Array, into: Float64Array): void {
  for (let at = 0; at < rows.length; at += 1) into[at] = values[rows[at] ?? 0] ?? 0;
}

function gatherBytes(values: Uint8Array, rows: Int32Array, into: Float64Array): void {
  for (let at = 0; at < rows.length; at += 1) into[at] = values[rows[at] ?? 0] ?? 0;
}

/**
 * Seconds since 1970 in local time: of TIMESTAMP in a zone, of DATE, which has none, at midnight.
 *
 * @throws {TypeError} for any other column
 */
function gatherLocalSeconds(offsetAt: OffsetAt): Write {
  return (vector, rows, into) => {
    if (vector.kind === 'text') {
      for (let at = 0; at < rows.length; at += 1) into[at] = Date.parse(textAt(vector, rows[at] ?? 0)) / 1000;
      return;
    }
    if (vector.kind !== 'timestamp') throw new TypeError(`A column of kind ${vector.kind} has no local time`);
    const { seconds } = vector;
    for (let at = 0; at < rows.length; at += 1) {
      const utc = seconds[rows[at] ?? 0] ?? 0;
      into[at] = utc + offsetAt(utc);
    }
  };
}
