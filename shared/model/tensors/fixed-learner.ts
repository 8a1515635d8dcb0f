import type { ColumnVector } from './column-vector.ts';
import type { FittedTransform } from './fitted.ts';
import { TensorError } from './tensor-error.ts';

/** What one transform learns from rows. Partial states merge exactly: in any order they give what one pass gives. */
export interface Learner {
  /** Columns that it looks at; none when it has nothing to learn and nothing to refuse. */
  readonly columns: readonly string[];
  /** True where the rows decide what `finish()` gives. */
  readonly isFitted: boolean;
  add(vectors: readonly ColumnVector[], rowCount: number): void;
  /** Plain JSON. */
  state(): unknown;
  /** @param state what `state()` of another one gave, also by way of JSON */
  merge(state: unknown): void;
  /** @throws {TensorError} when a column holds NULL that is not to be filled */
  finish(): FittedTransform;
}

/** A transform that learns nothing, and refuses NULL in some columns. */
export function fixed(fitted: FittedTransform, notNull: readonly string[]): Learner {
  let count = 0;
  return {
    columns: notNull,
    isFitted: false,
    add(vectors, rowCount) {
      for (const { nulls } of vectors) for (let row = 0; row < rowCount; row += 1) count += nulls[row] ?? 0;
    },
    state: () => count,
    merge(state) {
      count += Number(state);
    },
    finish() {
      if (count > 0) throw nullRefusal(fitted.tensor, fitted.column, count);
      return fitted;
    },
  };
}

/** The error of a column whose NULLs nothing is declared for. */
export function nullRefusal(tensor: string, column: string, count: number): TensorError {
  const isOwn = tensor === 'label' || tensor === 'weight';
  const remedy = isOwn ? 'Make the column NOT NULL' : 'Declare fillNull for it, or make the column NOT NULL';
  return new TensorError(tensor, column, `${count} rows hold NULL (or a number that is not finite)`, remedy);
}
