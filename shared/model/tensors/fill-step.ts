import type { ColumnBlock, ColumnVector } from './column-vector.ts';
import type { FittedTransform } from './fitted.ts';
import type { Items } from './safetensors.ts';
import { TensorError } from './tensor-error.ts';

/** Fills the tensors of one transform from the rows of a block; `items` are all tensors', zero at first. */
export type FillStep = (block: ColumnBlock, rows: Int32Array, items: readonly Items[]) => void;

/** Where a transform's column and tensors are. */
export interface FillPlaces {
  /** @throws {RangeError} for a column that is not read */
  readonly column: (name: string) => number;
  /** -1 where there is no such tensor. */
  readonly tensor: (name: string) => number;
}

/** The column of a block. */
export function columnAt(block: ColumnBlock, place: number): ColumnVector {
  const vector = block.columns[place];
  if (vector === undefined) throw new RangeError(`The block has ${block.columns.length} columns, and no ${place}`);
  return vector;
}

/** A value that does not become what is declared; `row` is its row's index in the block. */
export function misfit(
  transform: Pick<FittedTransform, 'tensor' | 'column'>,
  value: unknown,
  problem: string,
  row?: number,
): TensorError {
  const isMissing = value === null;
  const shown = isMissing ? 'NULL (or a number that is not finite)' : String(value).slice(0, 64);
  const remedy = isMissing ? 'Declare fillNull for it, or make the column NOT NULL' : 'Declare another type for it';
  const at = row === undefined ? {} : { row };
  return new TensorError(transform.tensor, transform.column, `${shown} ${problem}`, remedy, at);
}
