import type { LineageRow } from '../../../shared/adapters/spanner/overview-store.ts';

const BUCKET_MS = 10_000;
const WINDOW_MS = 30 * 60_000;
const MINUTE_MS = 60_000;
/** Breaks named on the page; further ones are only counted. */
const MAX_BREAKS = 20;

/** Offsets that no commit covers, or that two commits cover. Half open. */
export interface LineageBreak {
  readonly kind: 'gap' | 'overlap';
  readonly fromOffset: bigint;
  readonly toOffset: bigint;
}

type Buckets = Pick<LineageSummary, 'buckets'>;

/** What the commits of one partition say when they are laid end to end. */
export interface LineageSummary {
  /** Offsets from here to `toOffset` were checked. */
  readonly fromOffset: bigint;
  readonly toOffset: bigint;
  readonly lostCount: bigint;
  readonly doubledCount: bigint;
  readonly breaks: readonly LineageBreak[];
  readonly commitCount: number;
  readonly rowCount: number;
  readonly lastCommitAtMs: number;
  /** Rows, by the 10 s in which they were committed: bucket number → rows. The last 30 minutes. */
  readonly buckets: ReadonlyMap<number, number>;
}

/**
 * Lays further commits of a partition at the end of those already folded.
 *
 * An offset counts as lost when no commit before a later one covers it, and as doubled once for each commit beyond
 * the first that covers it.
 *
 * @param summary of the rows before; undefined at the first
 * @param rows ordered by `fromOffset`, none below the rows already folded
 */
export function foldLineage(
  summary: LineageSummary | undefined,
  rows: readonly LineageRow[],
): LineageSummary | undefined {
  const first = rows[0];
  if (!first) return summary;
  const base = summary ?? emptyAt(first.fromOffset);
  let { toOffset, lostCount, doubledCount, rowCount, lastCommitAtMs } = base;
  const breaks = [...base.breaks];
  const buckets = new Map(base.buckets);
  for (const row of rows) {
    const found = breakBetween(toOffset, row);
    if (found) {
      if (breaks.length < MAX_BREAKS) breaks.push(found);
      const length = found.toOffset - found.fromOffset;
      if (found.kind === 'gap') lostCount += length;
      else doubledCount += length;
    }
    if (row.toOffset > toOffset) toOffset = row.toOffset;
    rowCount += row.rowCount;
    lastCommitAtMs = Math.max(lastCommitAtMs, row.committedAtMs);
    const bucket = Math.floor(row.committedAtMs / BUCKET_MS);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + row.rowCount);
  }
  dropOld(buckets, lastCommitAtMs);
  const commitCount = base.commitCount + rows.length;
  return { ...base, toOffset, lostCount, doubledCount, breaks, commitCount, rowCount, lastCommitAtMs, buckets };
}

/** What was found before the part that was read again stays found. */
export function carryBreaks(before: LineageSummary | undefined, after: LineageSummary): LineageSummary {
  const known = before?.breaks.filter(({ toOffset }) => toOffset <= after.fromOffset) ?? [];
  const length = (kind: LineageBreak['kind']) =>
    known.reduce((sum, found) => (found.kind === kind ? sum + found.toOffset - found.fromOffset : sum), 0n);
  return {
    ...after,
    lostCount: after.lostCount + length('gap'),
    doubledCount: after.doubledCount + length('overlap'),
    breaks: [...known, ...after.breaks].slice(0, MAX_BREAKS),
  };
}

/** Rows a second over the last minute, or since its first commit when that was later. */
export function rowsPerSecond(summaries: readonly Buckets[], nowMs: number): number {
  let rows = 0;
  let sinceMs = nowMs;
  for (const { buckets } of summaries) {
    for (const [bucket, count] of buckets) {
      const startMs = bucket * BUCKET_MS;
      if (startMs <= nowMs - MINUTE_MS) continue;
      rows += count;
      sinceMs = Math.min(sinceMs, startMs);
    }
  }
  return rows === 0 ? 0 : rows / Math.max(1, (nowMs - sinceMs) / 1_000);
}

/** Rows of each of the last 30 minutes, oldest first; minutes begin with the clock's. */
export function rowsByMinute(summaries: readonly Buckets[], nowMs: number): number[] {
  const minutes = WINDOW_MS / MINUTE_MS;
  const lastMinute = Math.floor(nowMs / MINUTE_MS);
  const rows = Array.from({ length: minutes }, () => 0);
  for (const { buckets } of summaries) {
    for (const [bucket, count] of buckets) {
      const at = minutes - 1 - (lastMinute - Math.floor((bucket * BUCKET_MS) / MINUTE_MS));
      if (at >= 0 && at < minutes) rows[at] = (rows[at] ?? 0) + count;
    }
  }
  return rows;
}

function breakBetween(covered: bigint, { fromOffset, toOffset }: LineageRow): LineageBreak | undefined {
  if (fromOffset > covered) return { kind: 'gap', fromOffset: covered, toOffset: fromOffset };
  if (fromOffset < covered) {
    return { kind: 'overlap', fromOffset, toOffset: toOffset < covered ? toOffset : covered };
  }
  return undefined;
}

function dropOld(buckets: Map<number, number>, newestMs: number): void {
  const oldest = Math.floor((newestMs - WINDOW_MS - MINUTE_MS) / BUCKET_MS);
  for (const bucket of buckets.keys()) if (bucket < oldest) buckets.delete(bucket);
}

function emptyAt(offset: bigint): LineageSummary {
  return {
    fromOffset: offset,
    toOffset: offset,
    lostCount: 0n,
    doubledCount: 0n,
    breaks: [],
    commitCount: 0,
    rowCount: 0,
    lastCommitAtMs: 0,
    buckets: new Map(),
  };
}
