import { type ColumnVector, textAt } from './column-vector.ts';
import type { HashedType } from './fitted.ts';
import { fingerprintedBytes } from './split-rows.ts';

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

/** The bytes of a row's value that is not NULL. */
export type BytesOf = (row: number) => Uint8Array;

/** Makes the reading of what FARM_FINGERPRINT takes of a column: a value's CAST to STRING, but BYTES as they are. */
export function hashedBytes(type: HashedType, vector: ColumnVector): BytesOf {
  if (type === 'BYTES' && vector.kind === 'text') return (row) => Buffer.from(textAt(vector, row), 'base64');
  if (vector.kind === 'bool') return (row) => (vector.values[row] === 1 ? TRUE : FALSE);
  return fingerprintedBytes(vector);
}
