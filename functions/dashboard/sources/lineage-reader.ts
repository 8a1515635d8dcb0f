import type { CheckpointRow, LineageRow, OverviewReader } from '../../../shared/adapters/spanner/overview-store.ts';
import { carryBreaks, foldLineage, type LineageSummary } from '../view/lineage.ts';
import { partitionKey } from './sources.ts';

/** Commits of one partition that one look reads at most. */
const MAX_COMMITS = 2_000;
const WINDOW_MS = 30 * 60_000;
/** After so long everything is read again: a commit that slipped in below what was read would not be seen else. */
const READ_AGAIN_AFTER_MS = 60_000;

/** Reads what is new of a partition's lineage, and folds it into what was read before. */
export type LineageReader = (reader: OverviewReader, checkpoint: CheckpointRow) => Promise<LineageSummary | undefined>;

/**
 * Makes a reader that remembers each partition's summary, so that a look reads only new commits.
 *
 * The first look reads a partition's whole lineage where that is at most 2,000 commits, else its last ones, back to
 * 30 minutes where the limit allows.
 */
export function lineageReader(): LineageReader {
  const known = new Map<string, { summary: LineageSummary; readAllAtMs: number }>();
  return async (reader, checkpoint) => {
    const { pipeline, topic, partition } = checkpoint;
    const name = `${pipeline} ${partitionKey(topic, partition)}`;
    const before = known.get(name);
    const isFresh = before && reader.readAtMs - before.readAllAtMs < READ_AGAIN_AFTER_MS;
    if (isFresh) {
      const fromOffset = before.summary.toOffset;
      const rows = await reader.lineage(checkpoint, { fromOffset, limit: MAX_COMMITS });
      if (rows.length < MAX_COMMITS) {
        const summary = foldLineage(before.summary, rows) ?? before.summary;
        known.set(name, { ...before, summary });
        return summary;
      }
    }
    const read = foldLineage(undefined, await readTail(reader, checkpoint));
    if (!read) return undefined;
    const summary = carryBreaks(before?.summary, read);
    known.set(name, { summary, readAllAtMs: reader.readAtMs });
    return summary;
  };
}

/** The whole lineage, or as much of its end as the limit allows, in order. */
async function readTail(reader: OverviewReader, checkpoint: CheckpointRow): Promise<LineageRow[]> {
  const whole = await reader.lineage(checkpoint, { fromOffset: 0n, limit: MAX_COMMITS });
  if (whole.length < MAX_COMMITS) return whole;
  // Commits begin at different offsets: a span of as many offsets as the limit holds no more commits than that.
  let span = BigInt(MAX_COMMITS - 1);
  let fromOffset = checkpoint.nextOffset > span ? checkpoint.nextOffset - span : 0n;
  let rows = await reader.lineage(checkpoint, { fromOffset, limit: MAX_COMMITS });
  const oldestWantedMs = reader.readAtMs - WINDOW_MS;
  while (fromOffset > 0n && rows.length < MAX_COMMITS && (rows[0]?.committedAtMs ?? Infinity) > oldestWantedMs) {
    span *= 4n;
    const toOffset = fromOffset;
    fromOffset = toOffset > span ? toOffset - span : 0n;
    const limit = MAX_COMMITS - rows.length;
    const earlier = await reader.lineage(checkpoint, { fromOffset, toOffset, limit });
    // A part that was cut off at its end does not join what follows it.
    if (earlier.length === limit) break;
    rows = [...earlier, ...rows];
  }
  return rows;
}
