import type { Key, KeyColumn } from '../../../model/epochs/key.ts';
import { keyAt } from '../../../model/epochs/key-at.ts';
import { KeyProber, type Probe, type ProbeAnswer, probeRows } from '../../../model/epochs/key-prober.ts';
import type { ReadOptions } from '../../../model/epochs/read-options.ts';
import type { SpannerChannel } from '../channel.ts';
import type { RangeRead } from './range-read.ts';
import { readRange } from './read-range.ts';

/** Calls under way at once. */
const CONCURRENCY = 16;
/** So that an odd distribution of keys costs no more than reading some ten thousand of them. */
const MAX_PROBES = 2_048;
/** However few shards are wanted: the count of rows is estimated too. */
const MIN_PARTS = 32;

/** A table whose keys are looked at, as of one timestamp. */
export interface ProbedTable {
  readonly table: string;
  readonly key: readonly KeyColumn[];
  readonly readTimestamp: string;
  readonly options: ReadOptions | undefined;
  readonly signal: AbortSignal;
}

/**
 * Learns how a table's rows lie behind some keys that are known, by a bounded number of short reads.
 *
 * @param known the keys before, in a row, at least one
 * @param partsOf how many shards are wanted of so many rows behind them
 */
export async function probeKeys(
  channel: SpannerChannel,
  source: ProbedTable,
  known: readonly Key[],
  partsOf: (rowCount: number) => number,
): Promise<KeyProber> {
  const last = (await lastKey(channel, source, [])) ?? known.at(-1) ?? [];
  const prober = new KeyProber(source.key, known, last);
  const next = (): Probe[] => prober.next(CONCURRENCY, Math.max(MIN_PARTS, partsOf(prober.rowCount)));
  let asked = 0;
  for (let probes = next(); probes.length > 0 && asked < MAX_PROBES; probes = next()) {
    const answers = await Promise.all(probes.map((probe) => ask(channel, source, probe)));
    for (const [at, probe] of probes.entries()) prober.take(probe, answers[at] ?? { keys: [] });
    asked += probes.length;
  }
  prober.settle();
  return prober;
}

/** The first keys of a table, in order. */
export async function firstKeys(channel: SpannerChannel, source: ProbedTable, count: number): Promise<Key[]> {
  return await keysOf(channel, source, { range: { from: undefined, to: undefined }, limit: count });
}

async function ask(channel: SpannerChannel, source: ProbedTable, probe: Probe): Promise<ProbeAnswer> {
  if (probe.kind === 'from') {
    return { keys: await keysOf(channel, source, { range: { from: probe.from, to: undefined }, limit: probeRows }) };
  }
  const range = { from: undefined, to: undefined };
  const [last, keys] = await Promise.all([
    lastKey(channel, source, probe.prefix),
    // Behind the beginning of keys is behind all that begin so.
    keysOf(channel, source, { range, afterKey: probe.prefix, limit: probeRows }),
  ]);
  return { keys, last };
}

async function lastKey(channel: SpannerChannel, source: ProbedTable, prefix: Key): Promise<Key | undefined> {
  const query = { key: source.key, lastOf: prefix };
  const [key] = await keysOf(channel, source, { range: { from: undefined, to: undefined }, query, limit: 1 });
  return key;
}

async function keysOf(
  channel: SpannerChannel,
  { table, key, readTimestamp, options, signal }: ProbedTable,
  wanted: Pick<RangeRead, 'range' | 'afterKey' | 'query'> & { readonly limit: number },
): Promise<Key[]> {
  const columns = key.map(({ name }) => name);
  const read = {
    table,
    columns,
    keyLength: key.length,
    readTimestamp,
    options,
    signal,
    blockRows: wanted.limit,
    ...wanted,
  };
  for await (const block of readRange(channel, read)) {
    return Array.from({ length: block.rowCount }, (_, row) => keyAt(block, key.length, row));
  }
  return [];
}
