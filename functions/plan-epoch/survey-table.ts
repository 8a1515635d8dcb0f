import type { SpannerChannel } from '../../shared/adapters/spanner/channel.ts';
import { firstKeys, probeKeys } from '../../shared/adapters/spanner/reader/probe-keys.ts';
import type { RangeRead } from '../../shared/adapters/spanner/reader/range-read.ts';
import { type RowsRead, readRows } from '../../shared/adapters/spanner/reader/read-rows.ts';
import type { Feed } from '../../shared/model/config/declaration.ts';
import type { PlannedJoin } from '../../shared/model/epochs/join.ts';
import type { Key, KeyColumn } from '../../shared/model/epochs/key.ts';
import { keyAt } from '../../shared/model/epochs/key-at.ts';
import { probeRows } from '../../shared/model/epochs/key-prober.ts';
import { cutKeyRange, type KeyRange, type KeySample } from '../../shared/model/epochs/key-range.ts';
import { type KeySampler, keySampler } from '../../shared/model/epochs/key-sampler.ts';
import type { ReadOptions } from '../../shared/model/epochs/read-options.ts';
import type { ColumnBlock } from '../../shared/model/tensors/column-vector.ts';
import { fitTransforms, learnersOf } from '../../shared/model/tensors/fit-transforms.ts';
import type { FittedTransform } from '../../shared/model/tensors/fitted.ts';

/** Keys kept: enough for 5,000 shards that differ by a few percent. */
const MAX_SAMPLES = 65_536;
const BLOCK_ROWS = 8_192;
/** A table with no more rows is small: one pass tells everything exactly. */
const LOOK_ROWS = 20_000;
/** A piece's rows are held in memory, and put in order. */
const PIECE_ROWS = 16_384;
/** Of the pass over a table that is not small: each has a flow-control window. */
const STREAMS = 4;

/** What is learned of the table at the read timestamp. */
export interface Survey {
  readonly rowCount: number;
  /** The rows were not counted: it is about so many. */
  readonly isEstimate: boolean;
  /** In key order. */
  readonly samples: readonly KeySample[];
  readonly transforms: readonly FittedTransform[];
}

/** What is surveyed, and how. */
export interface SurveySource {
  readonly table: string;
  /** Those of the key first. */
  readonly columns: readonly string[];
  readonly key: readonly KeyColumn[];
  /** Of the columns as Spanner spells them, by lower-case name. */
  readonly types: ReadonlyMap<string, string>;
  readonly joins: readonly PlannedJoin[];
  /** Taken from an earlier epoch: then no row but its key is read. */
  readonly fitted?: readonly FittedTransform[] | undefined;
  readonly query: RangeRead['query'];
  readonly options: ReadOptions | undefined;
  readonly readTimestamp: string;
  readonly signal: AbortSignal;
  /** Shards wanted of so many rows. */
  readonly partsOf: (rowCount: number) => number;
  readonly lookRows?: number | undefined;
}

/**
 * Learns how a table's rows lie, and fits the transforms.
 *
 * A small table, and the rows of a query, are read once: exact counts, evenly spaced keys, exactly fitted state. Of a larger one some
 * keys are looked at first (`KeyProber`). When transforms have something to learn, all rows are read by several streams, each over a
 * part of the keys, into one fit: what it learns is a function of the rows, in whatever order they come. When nothing is to be
 * learned, no more is read than the keys that were looked at.
 */
export async function surveyTable(channel: SpannerChannel, feed: Feed, source: SurveySource): Promise<Survey> {
  const { lookRows = LOOK_ROWS } = source;
  const everything = { from: undefined, to: undefined };
  if (source.query?.sql !== undefined) return await scan(channel, feed, source, [everything]);
  const known = await firstKeys(channel, source, lookRows);
  if (known.length < lookRows) return await scan(channel, feed, source, [everything]);
  const prober = await probeKeys(channel, source, known.slice(-probeRows), (rowCount) =>
    partsOf(source, known.length + rowCount),
  );
  const samples = [...known.slice(0, -1).map((key) => ({ key, rows: 1 })), ...prober.samples()];
  const isFitted = source.fitted === undefined && learnersOf(feed, source.types).some((learner) => learner.isFitted);
  if (isFitted) {
    const boost = source.options?.dataBoost && { key: source.key, cuts: cutPieces(samples) };
    return await scan(channel, feed, { ...source, boost }, cutKeyRange(samples, STREAMS));
  }
  await checkRead(channel, source, known[0] ?? []);
  const transforms = source.fitted ?? fitTransforms(feed, source.columns, source.types).finish();
  return { rowCount: known.length + prober.rowCount, isEstimate: true, samples, transforms };
}

/** Where a table is cut into pieces that fit into memory, for Data Boost. */
export function cutPieces(samples: readonly KeySample[]): Key[] {
  const rowCount = samples.reduce((sum, { rows }) => sum + rows, 0);
  const ranges = cutKeyRange(samples, Math.max(1, Math.ceil(rowCount / PIECE_ROWS)));
  return ranges.flatMap(({ to }) => (to === undefined ? [] : [to]));
}

/** Reads all rows once, each range by a stream of its own. */
async function scan(
  channel: SpannerChannel,
  feed: Feed,
  source: SurveySource & Pick<RowsRead, 'boost'>,
  ranges: readonly KeyRange[],
): Promise<Survey> {
  const { fitted } = source;
  const columns = fitted === undefined ? source.columns : source.columns.slice(0, source.key.length);
  const fit = fitted === undefined ? fitTransforms(feed, columns, source.types) : undefined;
  const ending = new AbortController();
  const signal = AbortSignal.any([source.signal, ending.signal]);
  const samplers = ranges.map(() => keySampler(evenly(MAX_SAMPLES / ranges.length)));
  const pass = async (sampler: KeySampler, range: KeyRange | undefined): Promise<void> => {
    if (range === undefined) return;
    const keyLength = source.key.length;
    const read = { ...source, columns, keyLength, range, blockRows: BLOCK_ROWS, signal, reuse: true };
    for await (const block of readRows(channel, read)) {
      fit?.add(block);
      sampleKeys(sampler, block, keyLength);
    }
  };
  await allOrNone(
    samplers.map((sampler, at) => pass(sampler, ranges[at])),
    ending,
  );
  const rowCount = samplers.reduce((sum, sampler) => sum + sampler.rowCount, 0);
  const samples = samplers.flatMap((sampler) => sampler.samples());
  return { rowCount, isEstimate: false, samples, transforms: fitted ?? fit?.finish() ?? [] };
}

function partsOf({ options, ...source }: SurveySource, rowCount: number): number {
  return Math.max(source.partsOf(rowCount), options?.dataBoost ? Math.ceil(rowCount / PIECE_ROWS) : 0);
}

/** Waits for all; the first that fails ends the others. */
async function allOrNone(work: readonly Promise<void>[], ending: AbortController): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  const ended = work.map((one) =>
    one.catch((error: unknown) => {
      failure ??= { error };
      ending.abort();
    }),
  );
  await Promise.all(ended);
  if (failure) throw failure.error;
}

/** Has Spanner look at the read, and its joins be read, without reading a row: what it refuses is to be known when the epoch is planned. */
async function checkRead(channel: SpannerChannel, { key, ...source }: SurveySource, at: Key): Promise<void> {
  const range = { from: at, to: at };
  const nothing = readRows(channel, { ...source, keyLength: key.length, range, blockRows: 1 });
  for await (const _ of nothing) return;
}

/** An even number of samples. */
function evenly(samples: number): number {
  return Math.max(2, Math.floor(samples / 2) * 2);
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
