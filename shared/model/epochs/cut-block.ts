import type { Key } from './key.ts';
import { permutation } from './random.ts';

/** Batches that a full block of only one role is cut into. Wider blocks shuffle better and cost more memory. */
export const batchesPerBlock = 8;

/** What a batch is for. */
export type Role = 'train' | 'evaluate' | 'test';

/** Rows of one block that make one batch, in order. */
export interface CutBatch {
  readonly role: Role;
  /** From 0, through the whole shard. */
  readonly sequence: number;
  /** Indexes within the block; those of all batches of a block are views into one array. */
  readonly rows: Int32Array;
}

/** Where a block lies. */
export interface BlockPlace {
  readonly seed: number;
  readonly shard: number;
  /** From 0, in key order. */
  readonly block: number;
  readonly rowCount: number;
  readonly batchRows: number;
  /** Of the block's first batch. */
  readonly firstSequence: number;
}

/** Where a reader of a shard starts again: always at a block's start. */
export interface Position {
  readonly block: number;
  /** The last key of the block before; undefined at the range's start. */
  readonly afterKey: Key | undefined;
  readonly nextSequence: number;
  /** Rows read before. */
  readonly rows: number;
  /** How many of them no batch holds, where the feed balances its classes. */
  readonly leftOut?: number;
}

/** Where a shard starts. */
export const startPosition: Position = { block: 0, afterKey: undefined, nextSequence: 0, rows: 0 };

/**
 * Cuts one block's rows into batches: permuted by (seed, shard, block), those of training first, then those of evaluation, then
 * those of test.
 *
 * @param roleAt tells a row's role by its index in the block; undefined leaves it out
 * @returns batches of at most `batchRows` rows that hold every row with a role once; only the last of each role may be smaller
 */
export function cutBlock(place: BlockPlace, roleAt: (row: number) => Role | undefined): CutBatch[] {
  const order = permutation(place.rowCount, [place.seed, place.shard, place.block]);
  const batches: CutBatch[] = [];
  for (const { role, rows } of divide(order, roleAt)) {
    for (let from = 0; from < rows.length; from += place.batchRows) {
      const sequence = place.firstSequence + batches.length;
      batches.push({ role, sequence, rows: rows.subarray(from, from + place.batchRows) });
    }
  }
  return batches;
}

/** Rows of a position that batches hold. */
export function deliveredRows({ rows, leftOut = 0 }: Position): number {
  return rows - leftOut;
}

/** Asks once for each row: what it costs is a hash. All rows stay in one array, as the encoder wants them. */
function divide(order: Int32Array, roleAt: (row: number) => Role | undefined) {
  const evaluate = new Int32Array(order.length);
  const test = new Int32Array(order.length);
  let trainCount = 0;
  let evaluateCount = 0;
  let testCount = 0;
  for (let at = 0; at < order.length; at += 1) {
    const row = order[at] ?? 0;
    const role = roleAt(row);
    // Never behind where it is read.
    if (role === 'train') order[trainCount++] = row;
    else if (role === 'evaluate') evaluate[evaluateCount++] = row;
    else if (role === 'test') test[testCount++] = row;
  }
  const testFrom = trainCount + evaluateCount;
  order.set(evaluate.subarray(0, evaluateCount), trainCount);
  order.set(test.subarray(0, testCount), testFrom);
  return [
    { role: 'train', rows: order.subarray(0, trainCount) },
    { role: 'evaluate', rows: order.subarray(trainCount, testFrom) },
    { role: 'test', rows: order.subarray(testFrom, testFrom + testCount) },
  ] as const;
}

/** The order in which an epoch's shards are handed out. */
export function shardOrder(seed: number, shardCount: number): Int32Array {
  return permutation(shardCount, [seed]);
}
