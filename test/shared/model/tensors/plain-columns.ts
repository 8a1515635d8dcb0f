import type { ColumnVector } from '../../../../shared/model/tensors/column-vector.ts';

/** A value as a person would write it: instants in nanoseconds since 1970, BYTES as bytes, NUMERIC and DATE as texts. */
export type Plain =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly (number | bigint | boolean | null)[];

/** Makes the column that the reader would make of these values. */
export function columnOf(type: string, values: readonly Plain[]): ColumnVector {
  const nulls = Uint8Array.from(values, (value) => (value === null ? 1 : 0));
  if (type.startsWith('ARRAY<')) {
    const lists = values.map((value) => (Array.isArray(value) ? value : []));
    let end = 0;
    const offsets = Int32Array.from([0, ...lists.map((list) => (end += list.length))]);
    return { kind: 'list', nulls, offsets, items: columnOf(type.slice(6, -1), lists.flat()) };
  }
  switch (type) {
    case 'INT64':
      return {
        kind: 'int64',
        nulls,
        values: BigInt64Array.from(values, (value) => BigInt(Number(value === null) ? 0 : (value as bigint))),
      };
    case 'FLOAT32':
    case 'FLOAT64':
      return { kind: 'float64', nulls, values: Float64Array.from(values, Number) };
    case 'BOOL':
      return { kind: 'bool', nulls, values: Uint8Array.from(values, Number) };
    case 'TIMESTAMP': {
      const instants = values.map((value) => (typeof value === 'bigint' ? value : 0n));
      const seconds = instants.map(
        (nanos) => (nanos - (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n,
      );
      const rest = instants.map((nanos, at) => Number(nanos - (seconds[at] ?? 0n) * 1_000_000_000n));
      return { kind: 'timestamp', nulls, seconds: Float64Array.from(seconds, Number), nanos: Int32Array.from(rest) };
    }
    default: {
      const parts = values.map((value) =>
        value instanceof Uint8Array
          ? Buffer.from(Buffer.from(value).toString('base64'))
          : Buffer.from(String(value ?? '')),
      );
      let end = 0;
      const offsets = Int32Array.from([0, ...parts.map((part) => (end += part.length))]);
      return { kind: 'text', nulls, offsets, bytes: Buffer.concat(parts) };
    }
  }
}
