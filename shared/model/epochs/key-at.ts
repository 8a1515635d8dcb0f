import { type ColumnBlock, type ColumnVector, textAt } from '../tensors/column-vector.ts';
import type { Key, KeyPart } from './key.ts';

const NANOSECOND_DIGITS = 9;

/**
 * The primary key of one row of a block, as Spanner writes it on the wire.
 *
 * @param keyLength the block's first columns are those of the key, in its order
 */
export function keyAt(block: ColumnBlock, keyLength: number, row: number): Key {
  return block.columns.slice(0, keyLength).map((vector) => partAt(vector, row));
}

function partAt(vector: ColumnVector, row: number): KeyPart {
  if (vector.nulls[row] === 1) return null;
  switch (vector.kind) {
    case 'int64':
      return String(vector.values[row] ?? 0n);
    case 'float64':
      return floatPart(vector.values[row] ?? 0);
    case 'bool':
      return vector.values[row] === 1;
    case 'text':
      return textAt(vector, row);
    case 'timestamp':
      return formatTimestamp(vector.seconds[row] ?? 0, vector.nanos[row] ?? 0);
    case 'list':
      throw new TypeError('A list is no part of a primary key');
  }
}

function floatPart(value: number): KeyPart {
  return Number.isFinite(value) ? value : String(value);
}

/** RFC 3339 in UTC with up to nine digits and no trailing zeros. */
export function formatTimestamp(seconds: number, nanos: number): string {
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  if (nanos === 0) return `${whole}Z`;
  return `${whole}.${String(nanos).padStart(NANOSECOND_DIGITS, '0').replace(/0+$/, '')}Z`;
}
