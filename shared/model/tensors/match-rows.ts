import { keyAt } from '../epochs/key-at.ts';
import type { ColumnVector } from './column-vector.ts';
import { asText } from './split-rows.ts';
import { vocabularyIndex } from './vocabulary-index.ts';

/** Finds for each row of some columns the row of a table that is equal in its own; -1 where there is none. */
export type MatchRows = (vectors: readonly ColumnVector[], rowCount: number) => Int32Array;

/**
 * Indexes the rows of a small table by some of its columns. As in SQL NULL equals nothing, not even NULL.
 *
 * @param vectors its columns, in the order in which `MatchRows` takes those that they equal; unique together, of the same types
 */
export function matchRows(vectors: readonly ColumnVector[], rowCount: number): MatchRows {
  const [only] = vectors;
  const isText = vectors.length === 1 && (only?.kind === 'text' || only?.kind === 'int64');
  return isText && only ? matchTexts(only, rowCount) : matchKeys(vectors, rowCount);
}

/** The usual join, by one column, without an object for a row. */
function matchTexts(vector: ColumnVector, rowCount: number): MatchRows {
  const places = rowsWithout([vector], rowCount);
  const { bytes, offsets } = asText(vector);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const find = vocabularyIndex(Array.from(places, (row) => text.toString('utf8', offsets[row], offsets[row + 1])));
  return ([wanted], wantedCount) => {
    const found = new Int32Array(wantedCount);
    if (wanted === undefined) return found.fill(-1);
    const rows = Int32Array.from(found, (_, row) => row);
    find(asText(wanted), rows, found);
    return found.map((place, row) => (place < 0 || wanted.nulls[row] === 1 ? -1 : (places[place] ?? -1)));
  };
}

function matchKeys(vectors: readonly ColumnVector[], rowCount: number): MatchRows {
  const nameOf = (columns: readonly ColumnVector[], row: number): string =>
    JSON.stringify(keyAt({ rowCount, columns }, columns.length, row));
  const places = new Map(Array.from(rowsWithout(vectors, rowCount), (row) => [nameOf(vectors, row), row]));
  return (wanted, wantedCount) =>
    Int32Array.from({ length: wantedCount }, (_, row) =>
      hasNull(wanted, row) ? -1 : (places.get(nameOf(wanted, row)) ?? -1),
    );
}

/** Rows without a NULL. */
function rowsWithout(vectors: readonly ColumnVector[], rowCount: number): Int32Array {
  return Int32Array.from({ length: rowCount }, (_, row) => row).filter((row) => !hasNull(vectors, row));
}

function hasNull(vectors: readonly ColumnVector[], row: number): boolean {
  return vectors.some(({ nulls }) => nulls[row] === 1);
}
