import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import type { RangeRead } from '../../shared/adapters/spanner/reader/range-read.ts';
import { readRows } from '../../shared/adapters/spanner/reader/read-rows.ts';
import type { Feed } from '../../shared/model/config/declaration.ts';
import type { PlannedJoin } from '../../shared/model/epochs/join.ts';
import type { Key } from '../../shared/model/epochs/key.ts';
import { keyAt } from '../../shared/model/epochs/key-at.ts';
import { type KeySampler, keySampler } from '../../shared/model/epochs/key-sampler.ts';
import type { ReadOptions } from '../../shared/model/epochs/read-options.ts';
import type { ColumnBlock } from '../../shared/model/tensors/column-vector.ts';
import { fitTransforms } from '../../shared/model/tensors/fit-transforms.ts';
import type { FittedTransform } from '../../shared/model/tensors/fitted.ts';

/** Keys kept: enough for 5,000 shards that differ by a few percent. */
const MAX_SAMPLES = 65_536;
const BLOCK_ROWS = 8_192;

/** What one pass over the table at the read timestamp learns. */
export interface Survey {
  readonly rowCount: number;
  /** Evenly spaced, in key order. */
  readonly samples: readonly Key[];
  readonly transforms: readonly FittedTransform[];
}

/**
 * Reads the feed's columns of all rows at the timestamp once: counts them, samples their keys and fits the transforms.
 *
 * It costs one scan of those columns, by one stream, in bounded memory. Exact counts and exactly fitted state are worth it:
 * both belong to the plan, and a shard then holds the rows that it was planned to hold.
 *
 * @param source its columns: those of the key first
 */
export async function surveyTable(
  channel: SpannerChannel,
  feed: Feed,
  source: {
    readonly table: string;
    readonly columns: readonly string[];
    /** Of the table's columns as Spanner spells them, by lower-case name. */
    readonly types: ReadonlyMap<string, string>;
    readonly joins: readonly PlannedJoin[];
    /** Taken from an earlier epoch: then the keys alone are read. */
    readonly fitted?: readonly FittedTransform[] | undefined;
    readonly keyLength: number;
    readonly query: RangeRead['query'];
    readonly options: ReadOptions | undefined;
    readonly readTimestamp: string;
    readonly signal: AbortSignal;
  },
): Promise<Survey> {
  const sampler = keySampler(MAX_SAMPLES);
  const { fitted } = source;
  const columns = fitted === undefined ? source.columns : source.columns.slice(0, source.keyLength);
  const fit = fitted === undefined ? fitTransforms(feed, columns, source.types) : undefined;
  const range = { from: undefined, to: undefined };
  for await (const block of readRows(channel, { ...source, columns, range, blockRows: BLOCK_ROWS, reuse: true })) {
    fit?.add(block);
    sampleKeys(sampler, block, source.keyLength);
  }
  return { rowCount: sampler.rowCount, samples: sampler.samples(), transforms: fitted ?? fit?.finish() ?? [] };
}

function sampleKeys(sampler: KeySampler, block: ColumnBlock, keyLength: number): void {
  let row = 0;
  while (row < block.rowCount) {
    const passed = Math.min(sampler.rowsUntilNext, block.rowCount - row);
    sampler.skip(passed);
    row += passed;
    if (row === block.rowCount) return;
    sampler.take(keyAt(block, keyLength, row));
    row += 1;
  }
}
