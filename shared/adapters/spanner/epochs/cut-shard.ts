import type { Database } from '@google-cloud/spanner';
import type { Position } from '../../../model/epochs/cut-block.ts';
import { commitTimestamp, fieldOf, numberOf, readPart, readPosition, textOf } from './epoch-rows.ts';
import { inTransaction } from './in-transaction.ts';

/** Planned shards and those cut off them. */
const MAX_SHARD_ROWS = 10_000;

/**
 * Cuts the rest off a shard that is being read, as a shard of its own, in one transaction: its reader learns of it when it
 * saves its next block, and ends there.
 *
 * @param at a block's start, behind the shard's saved position
 * @returns the new shard's number; undefined when the reader has come too near, has finished, or was cut before
 */
export async function cutShard(
  database: Database,
  epoch: string,
  shard: number,
  at: Position,
): Promise<number | undefined> {
  return await inTransaction(database, async (transaction) => {
    const [found] = await transaction.read('PenstockShards', {
      keys: [[epoch, String(shard)]],
      columns: ['State', 'Position', 'KeyRange'],
      json: true,
    });
    const row: unknown = found[0];
    const keyRange = fieldOf(row, 'KeyRange');
    const { of, start, cut } = readPart(keyRange, shard);
    const position = readPosition(fieldOf(row, 'Position')) ?? start;
    if (textOf(row, 'State') !== 'reading' || position.block >= at.block) return undefined;
    if (cut !== undefined && cut.block <= at.block) return undefined;
    // The key alone: readers that save their positions are not in its way.
    const [all] = await transaction.read('PenstockShards', {
      ranges: [{ startClosed: [epoch], endClosed: [epoch] }],
      columns: ['ShardId'],
      json: true,
    });
    if (all.length >= MAX_SHARD_ROWS) return undefined;
    const next = Math.max(...all.map((one: unknown) => numberOf(one, 'ShardId'))) + 1;
    const known = { from: fieldOf(keyRange, 'from') ?? null, to: fieldOf(keyRange, 'to') ?? null };
    const own = of === shard ? {} : { of, start };
    transaction.update('PenstockShards', {
      EpochId: epoch,
      ShardId: shard,
      KeyRange: { ...known, ...own, cut: at },
      UpdatedAt: commitTimestamp,
    });
    transaction.insert('PenstockShards', {
      EpochId: epoch,
      ShardId: next,
      State: 'waiting',
      KeyRange: { from: at.afterKey ?? null, to: known.to, of, start: at, ...(cut === undefined ? {} : { cut }) },
      Fence: 0,
      RowCount: 0,
      BatchCount: 0,
      UpdatedAt: commitTimestamp,
    });
    return next;
  });
}
