import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import type { EpochStore, StoredShard } from '../../shared/adapters/spanner/epochs/epoch-store.ts';
import type { Clock } from '../../shared/base/clock.ts';
import { chooseLaggard, plannedRowsOf } from '../../shared/model/epochs/choose-laggard.ts';
import type { Position } from '../../shared/model/epochs/cut-block.ts';
import { type Manifest, shardRanges } from '../../shared/model/epochs/manifest.ts';
import { walkBlocks } from './walk-blocks.ts';

/** A cut is worth its while from so many blocks on. */
const MIN_BLOCKS = 4;
/** Block starts kept while the rest of a shard is walked over: a position is some hundred bytes. */
const MAX_BLOCKS = 100_000;

/** What relieving takes. */
export interface ReliefTools {
  readonly store: EpochStore;
  readonly channel: SpannerChannel;
  /** See `cutShard`. */
  readonly cut: (epoch: string, shard: number, at: Position) => Promise<number | undefined>;
  readonly clock: Clock;
  /** A shard that is ready sooner is left alone. */
  readonly splitAfterMs: number;
  readonly signal: AbortSignal;
}

/**
 * Finds work for a reader that has none: the rest of the shard that needs longest is cut off at a block's start, in the middle of
 * what is left, and becomes a shard of its own.
 *
 * Its batches stay those of the planned shard, with the same numbers and bytes: the blocks before it are counted, not read
 * whole. So an epoch's batches are the same however many readers there were, and whatever was cut.
 *
 * @returns shards to read now: rests that nobody has begun, or one that was cut off here
 */
export async function relieveEpoch(epoch: string, tools: ReliefTools): Promise<number[]> {
  const stored = await tools.store.find(epoch);
  if (!stored || stored.state === 'delivered' || stored.state === 'failed') return [];
  const { manifest } = stored;
  const shards = await tools.store.shards(epoch);
  // Whoever cut them may have died before it told anybody.
  const orphans = shards.filter(({ state, shard, of }) => state === 'waiting' && shard !== of);
  if (orphans.length > 0) return orphans.map(({ shard }) => shard);
  const rowsPerShard = manifest.rowCount / shardRanges(manifest.plan).length;
  const paces = shards.map((shard) => ({ ...shard, plannedRows: plannedRowsOf(shard, rowsPerShard) }));
  const laggard = chooseLaggard(paces, { nowMs: tools.clock(), minLeftMs: tools.splitAfterMs });
  const slow = shards.find(({ shard }) => shard === laggard?.shard);
  if (!slow) return [];
  const at = await middleOfRest(manifest, slow, tools);
  const tail = at && (await tools.cut(epoch, slow.shard, at));
  return tail === undefined ? [] : [tail];
}

/** The start of the block in the middle of what is not read yet. */
async function middleOfRest(manifest: Manifest, slow: StoredShard, tools: ReliefTools): Promise<Position | undefined> {
  const starts: Position[] = [];
  const walk = { shard: slow.of, from: slow.position, signal: tools.signal };
  for await (const { from } of walkBlocks(tools.channel, manifest, walk)) {
    if (slow.cut !== undefined && from.block >= slow.cut.block) break;
    starts.push(from);
    if (starts.length === MAX_BLOCKS) break;
  }
  return starts.length < MIN_BLOCKS ? undefined : starts[Math.ceil(starts.length / 2)];
}
