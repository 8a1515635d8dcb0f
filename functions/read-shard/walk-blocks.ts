import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { readRows } from '../../shared/adapters/spanner/reader/read-rows.ts';
import { shardRead } from '../../shared/adapters/spanner/reader/shard-read.ts';
import type { Position } from '../../shared/model/epochs/cut-block.ts';
import { divideBlock, divisionColumns, positionAfter } from '../../shared/model/epochs/divide-block.ts';
import type { Manifest } from '../../shared/model/epochs/manifest.ts';

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
 */
export async function* walkBlocks(
  channel: SpannerChannel,
  manifest: Manifest,
  walk: { readonly shard: number; readonly from: Position; readonly signal: AbortSignal },
): AsyncGenerator<BlockSpan, void, undefined> {
  const { plan } = manifest;
  const { shard, signal } = walk;
  const columns = divisionColumns(plan);
  const read = shardRead(manifest, { shard, columns, afterKey: walk.from.afterKey, signal });
  const blocks = readRows(channel, { ...read, reuse: true });
  let from = walk.from;
  for await (const block of blocks) {
    const batches = divideBlock(plan, { shard, position: from }, block, columns);
    const to = positionAfter(plan, from, block, batches);
    yield { from, to };
    from = to;
  }
}
