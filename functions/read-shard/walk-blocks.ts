import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { readRange } from '../../shared/adapters/spanner/reader/read-range.ts';
import type { Position } from '../../shared/model/epochs/cut-block.ts';
import { divideBlock, divisionColumns, positionAfter } from '../../shared/model/epochs/divide-block.ts';
import type { Key } from '../../shared/model/epochs/key.ts';
import { blockRows, type Manifest, shardRanges } from '../../shared/model/epochs/manifest.ts';

/** Where a block of a shard lies. */
export interface BlockSpan {
  readonly from: Position;
  /** The next block's start. */
  readonly to: Position;
}

/**
 * Walks over a shard's blocks, in order, without making their batches: reads the keys and the split column alone.
 *
 * Which sequence a block starts with depends on how the rows before it fall into roles: there is no shorter way.
 *
 * @param walk.from where to start: the position of some block
 * @param walk.toKey the walk ends below it; undefined at the shard's end
 */
export async function* walkBlocks(
  channel: SpannerChannel,
  manifest: Manifest,
  walk: {
    readonly shard: number;
    readonly from: Position;
    readonly toKey?: Key | undefined;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<BlockSpan, void, undefined> {
  const { plan, readTimestamp } = manifest;
  const { shard, toKey, signal } = walk;
  const range = shardRanges(plan)[shard];
  if (range === undefined) throw new RangeError(`There is no shard ${shard} of ${manifest.epoch}`);
  const columns = divisionColumns(plan);
  const blocks = readRange(channel, {
    table: plan.table,
    columns,
    keyLength: plan.key.length,
    range: toKey === undefined ? range : { ...range, to: toKey },
    afterKey: walk.from.afterKey,
    readTimestamp,
    blockRows: blockRows(plan),
    signal,
  });
  let from = walk.from;
  for await (const block of blocks) {
    const batches = divideBlock(plan, { shard, position: from }, block, columns);
    const to = positionAfter(plan, from, block, batches.length);
    yield { from, to };
    from = to;
  }
}
