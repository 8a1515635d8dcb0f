/** Types of Spanner that a vector can hold. */
export type ColumnCode =
  | 'BOOL'
  | 'INT64'
  | 'FLOAT32'
  | 'FLOAT64'
  | 'NUMERIC'
  | 'STRING'
  | 'BYTES'
  | 'JSON'
  | 'DATE'
  | 'TIMESTAMP'
  | 'UUID';

/** One column of a block of rows, without an object per row. `nulls[row]` is 1 where the value is NULL, and the value is then 0. */
export type ColumnVector =
  /** INT64. */
  | { readonly kind: 'int64'; readonly nulls: Uint8Array; readonly values: BigInt64Array }
  /** FLOAT32 and FLOAT64; NaN and infinities as they are. */
  | { readonly kind: 'float64'; readonly nulls: Uint8Array; readonly values: Float64Array }
  /** BOOL, 0 or 1. */
  | { readonly kind: 'bool'; readonly nulls: Uint8Array; readonly values: Uint8Array }
  /** TIMESTAMP over its whole range, which nanoseconds in 64 bits would not hold: seconds since 1970, and nanoseconds on top. */
  | {
      readonly kind: 'timestamp';
      readonly nulls: Uint8Array;
      readonly seconds: Float64Array;
      readonly nanos: Int32Array;
    }
  /** What travels as text: STRING, NUMERIC, DATE, JSON, UUID, and BYTES as base64. Row `r` is `bytes[offsets[r] … offsets[r + 1])` in UTF-8. */
  | {
      readonly kind: 'text';
      readonly nulls: Uint8Array;
      readonly offsets: Int32Array;
      readonly bytes: Uint8Array;
    }
  /** ARRAY: row `r` is `items[offsets[r] … offsets[r + 1])`. */
  | {
      readonly kind: 'list';
      readonly nulls: Uint8Array;
      readonly offsets: Int32Array;
      readonly items: ColumnVector;
    };

/** Whole rows of some columns, in the order of the columns asked for. */
export interface ColumnBlock {
  readonly rowCount: number;
  readonly columns: readonly ColumnVector[];
}

/**
 * A column without rows.
 *
 * @param type as Spanner spells it: `STRING(32)`, `ARRAY<FLOAT32>(vector_length=>4)`
 */
export function emptyVector(type: string): ColumnVector {
  const nulls = new Uint8Array();
  const item = /^ARRAY<(.+)>/.exec(type)?.[1];
  if (item !== undefined) return { kind: 'list', nulls, offsets: new Int32Array(1), items: emptyVector(item) };
  if (type === 'INT64') return { kind: 'int64', nulls, values: new BigInt64Array() };
  if (type === 'FLOAT32' || type === 'FLOAT64') return { kind: 'float64', nulls, values: new Float64Array() };
  if (type === 'BOOL') return { kind: 'bool', nulls, values: new Uint8Array() };
  if (type === 'TIMESTAMP') return { kind: 'timestamp', nulls, seconds: new Float64Array(), nanos: new Int32Array() };
  return { kind: 'text', nulls, offsets: new Int32Array(1), bytes: new Uint8Array() };
}

const knownNulls = new WeakMap<ColumnVector, boolean>();

/** Whether any row of the column is NULL: looked up once for all batches that are made of it. */
export function hasNulls(vector: ColumnVector): boolean {
  let known = knownNulls.get(vector);
  if (known === undefined) {
    known = vector.nulls.includes(1);
    knownNulls.set(vector, known);
  }
  return known;
}

/** What a column takes in memory, NULLs aside. */
export function vectorBytes(vector: ColumnVector): number {
  switch (vector.kind) {
    case 'int64':
    case 'float64':
    case 'bool':
      return vector.values.byteLength;
    case 'timestamp':
      return vector.seconds.byteLength + vector.nanos.byteLength;
    case 'text':
      return vector.offsets.byteLength + vector.bytes.byteLength;
    case 'list':
      return vector.offsets.byteLength + vectorBytes(vector.items);
  }
}

const TWO_32 = 0x1_0000_0000;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A view of 64-bit integers as pairs of low and high halves, to read them without a BigInt each. */
export function halves(values: BigInt64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** Row `row` of `halves(values)` as a number: exact up to 2^53, the nearest double beyond. */
export function halvesToNumber(pairs: Int32Array, row: number): number {
  return (pairs[row * 2 + 1] ?? 0) * TWO_32 + ((pairs[row * 2] ?? 0) >>> 0);
}

/** The bytes of one text, without a copy. */
export function textBytes(
  vector: Pick<Extract<ColumnVector, { kind: 'text' }>, 'bytes' | 'offsets'>,
  row: number,
): Uint8Array {
  return vector.bytes.subarray(vector.offsets[row] ?? 0, vector.offsets[row + 1] ?? 0);
}

/** One text as a string. */
export function textAt(vector: Extract<ColumnVector, { kind: 'text' }>, row: number): string {
  return decoder.decode(textBytes(vector, row));
}

/**
 * Makes the reading of a column's values as numbers: integers, floats, BOOL as 0 and 1, NUMERIC as the nearest double.
 *
 * @throws {TypeError} for any other column
 */
export function numberReader(vector: ColumnVector): (row: number) => number {
  switch (vector.kind) {
    case 'int64': {
      const pairs = halves(vector.values);
      return (row) => halvesToNumber(pairs, row);
    }
    case 'float64':
    case 'bool': {
      const { values } = vector;
      return (row) => values[row] ?? 0;
    }
    case 'text':
      return (row) => Number(textAt(vector, row));
    case 'timestamp':
    case 'list':
      throw new TypeError(`A column of kind ${vector.kind} cannot be read as numbers`);
  }
}
