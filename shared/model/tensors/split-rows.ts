import { type ColumnVector, textBytes } from './column-vector.ts';
import { fingerprintModulos } from './fingerprint-all.ts';
import { type FittedSplit, splitParts } from './fitted.ts';
import type { Texts } from './vocabulary-index.ts';

/**
 * Makes the division of a block's rows: by a hash of a column, so that a row never changes sides. NULL is for training.
 *
 * @returns a function from a row's index to what it is for
 * @throws {TypeError} for a column whose CAST to STRING is not what travels: only text and INT64 are
 */
export function splitRows(split: FittedSplit, vector: ColumnVector): (row: number) => 'train' | 'evaluate' | 'test' {
  const { evaluateBelow, testBelow = 0 } = split;
  const { nulls } = vector;
  const parts = fingerprintModulos(asText(vector), nulls.length, splitParts);
  return (row) => {
    if (nulls[row] === 1) return 'train';
    const part = parts[row] ?? 0;
    if (part < evaluateBelow) return 'evaluate';
    return part < testBelow ? 'test' : 'train';
  };
}

/** A column's values as CAST to STRING gives them, NULL as an empty text. */
export function asText(vector: ColumnVector): Texts {
  if (vector.kind === 'text') return vector;
  if (vector.kind !== 'int64') throw noFingerprint(vector);
  const texts = Array.from(vector.values, (value, row) => (vector.nulls[row] === 1 ? '' : String(value)));
  const offsets = new Int32Array(texts.length + 1);
  for (const [row, { length }] of texts.entries()) offsets[row + 1] = (offsets[row] ?? 0) + length;
  return { bytes: Buffer.from(texts.join(''), 'latin1'), offsets };
}

/** The bytes of a value's CAST to STRING. */
export function fingerprintedBytes(vector: ColumnVector): (row: number) => Uint8Array {
  if (vector.kind === 'text') return (row) => textBytes(vector, row);
  if (vector.kind === 'int64') return (row) => Buffer.from(String(vector.values[row] ?? 0n), 'latin1');
  throw noFingerprint(vector);
}

function noFingerprint({ kind }: ColumnVector): TypeError {
  return new TypeError(`A column of kind ${kind} has no fingerprint here: wanted is a text or INT64`);
}
