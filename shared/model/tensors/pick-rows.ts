import type { ColumnVector } from './column-vector.ts';

/**
 * Takes some rows of a column, in any order, as often as they are named.
 *
 * @param rows indexes; -1 for NULL
 */
export function pickRows(vector: ColumnVector, rows: Int32Array): ColumnVector {
  const nulls = Uint8Array.from(rows, (row) => (row < 0 ? 1 : (vector.nulls[row] ?? 0)));
  switch (vector.kind) {
    case 'int64':
      return { kind: 'int64', nulls, values: BigInt64Array.from(rows, (row) => vector.values[row] ?? 0n) };
    case 'float64':
      return { kind: 'float64', nulls, values: Float64Array.from(rows, (row) => vector.values[row] ?? 0) };
    case 'bool':
      return { kind: 'bool', nulls, values: Uint8Array.from(rows, (row) => vector.values[row] ?? 0) };
    case 'timestamp': {
      const seconds = Float64Array.from(rows, (row) => vector.seconds[row] ?? 0);
      return { kind: 'timestamp', nulls, seconds, nanos: Int32Array.from(rows, (row) => vector.nanos[row] ?? 0) };
    }
    case 'text':
      return { kind: 'text', nulls, ...pickTexts(vector, rows) };
    case 'list': {
      const offsets = pickedOffsets(vector.offsets, rows);
      const items = new Int32Array(offsets.at(-1) ?? 0);
      for (const [at, row] of rows.entries()) {
        const shift = (vector.offsets[row] ?? 0) - (offsets[at] ?? 0);
        for (let item = offsets[at] ?? 0; item < (offsets[at + 1] ?? 0); item += 1) items[item] = item + shift;
      }
      return { kind: 'list', nulls, offsets, items: pickRows(vector.items, items) };
    }
  }
}

function pickTexts(
  { bytes, offsets }: Extract<ColumnVector, { kind: 'text' }>,
  rows: Int32Array,
): { readonly bytes: Uint8Array; readonly offsets: Int32Array } {
  const into = pickedOffsets(offsets, rows);
  const picked = new Uint8Array(into.at(-1) ?? 0);
  for (const [at, row] of rows.entries()) {
    if (row >= 0) picked.set(bytes.subarray(offsets[row], offsets[row + 1]), into[at]);
  }
  return { bytes: picked, offsets: into };
}

function pickedOffsets(offsets: Int32Array, rows: Int32Array): Int32Array {
  const into = new Int32Array(rows.length + 1);
  for (const [at, row] of rows.entries()) {
    const length = row < 0 ? 0 : (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
    into[at + 1] = (into[at] ?? 0) + length;
  }
  return into;
}
