import { balanceRows } from '../tensors/balance-rows.ts';
import type { ColumnBlock } from '../tensors/column-vector.ts';
import { splitRows } from '../tensors/split-rows.ts';
import { type CutBatch, cutBlock, type Position, type Role } from './cut-block.ts';
import { keyAt } from './key-at.ts';
import type { Plan } from './manifest.ts';

/**
 * The columns that say how a shard's rows fall into batches: those of the key first. Fewer than the plan's, so that a place
 * behind many rows is found without reading what is in them.
 */
export function divisionColumns({ key, split, balance }: Pick<Plan, 'key' | 'split' | 'balance'>): string[] {
  const columns = [...key.map(({ name }) => name), split?.by, balance?.column];
  return [...new Set(columns.filter((column) => column !== undefined))];
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
  const place = {
    seed: plan.seed,
    shard,
    block: position.block,
    rowCount: block.rowCount,
    batchRows: plan.batchRows,
    firstSequence: position.nextSequence,
  };
  return cutBlock(place, roleOf(plan, block, columns));
}

function roleOf(plan: Plan, block: ColumnBlock, columns: readonly string[]): (row: number) => Role | undefined {
  const { split, balance } = plan;
  const vector = split ? block.columns[columns.indexOf(split.by)] : undefined;
  const roleAt = split && vector ? splitRows(split, vector) : (): Role => 'train';
  const labels = balance ? block.columns[columns.indexOf(balance.column)] : undefined;
  if (!balance || !labels) return roleAt;
  const { seed, key } = plan;
  const isKept = balanceRows(balance, labels, (row) => JSON.stringify([seed, ...keyAt(block, key.length, row)]));
  return (row) => {
    const role = roleAt(row);
    return role === 'train' && !isKept(row) ? undefined : role;
  };
}

/** Where the next block starts. */
export function positionAfter(
  plan: Plan,
  position: Position,
  block: ColumnBlock,
  batches: readonly CutBatch[],
): Position {
  const inBatches = batches.reduce((sum, { rows }) => sum + rows.length, 0);
  const leftOut = (position.leftOut ?? 0) + block.rowCount - inBatches;
  return {
    block: position.block + 1,
    afterKey: keyAt(block, plan.key.length, block.rowCount - 1),
    nextSequence: position.nextSequence + batches.length,
    rows: position.rows + block.rowCount,
    ...(leftOut === 0 ? {} : { leftOut }),
  };
}

/** The rows of a block, counted from the shard's start, as its batches name them. */
export function rowSpan(position: Position, block: ColumnBlock): { readonly rowFrom: number; readonly rowTo: number } {
  return { rowFrom: position.rows, rowTo: position.rows + block.rowCount };
}
