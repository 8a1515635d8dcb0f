import type { ColumnBlock } from '../tensors/column-vector.ts';
import { splitRows } from '../tensors/split-rows.ts';
import { type CutBatch, cutBlock, type Position } from './cut-block.ts';
import { keyAt } from './key-at.ts';
import type { Plan } from './manifest.ts';

/**
 * The columns that say how a shard's rows fall into batches: those of the key first. Fewer than the plan's, so that a place
 * behind many rows is found without reading what is in them.
 */
export function divisionColumns({ key, split }: Pick<Plan, 'key' | 'split'>): string[] {
  const columns = key.map(({ name }) => name);
  return split ? [...new Set([...columns, split.by])] : columns;
}

/**
 * Divides one block of a shard into batches.
 *
 * @param at where the block starts
 * @param columns names of the block's columns, among them those of `divisionColumns`
 */
export function divideBlock(
  plan: Plan,
  at: { readonly shard: number; readonly position: Position },
  block: ColumnBlock,
  columns: readonly string[],
): CutBatch[] {
  const { shard, position } = at;
  const vector = plan.split ? block.columns[columns.indexOf(plan.split.by)] : undefined;
  const place = {
    seed: plan.seed,
    shard,
    block: position.block,
    rowCount: block.rowCount,
    batchRows: plan.batchRows,
    firstSequence: position.nextSequence,
  };
  return cutBlock(place, plan.split && vector ? splitRows(plan.split, vector) : () => false);
}

/** Where the next block starts. */
export function positionAfter(plan: Plan, position: Position, block: ColumnBlock, batches: number): Position {
  return {
    block: position.block + 1,
    afterKey: keyAt(block, plan.key.length, block.rowCount - 1),
    nextSequence: position.nextSequence + batches,
    rows: position.rows + block.rowCount,
  };
}

/** The rows of a block, counted from the shard's start, as its batches name them. */
export function rowSpan(position: Position, block: ColumnBlock): { readonly rowFrom: number; readonly rowTo: number } {
  return { rowFrom: position.rows, rowTo: position.rows + block.rowCount };
}
