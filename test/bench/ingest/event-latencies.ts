import type { SentRecords } from './steady-producer.ts';

/** One commit, as PenstockLineage has it: offsets in `[fromOffset, toOffset)`. */
export interface LineageRow {
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly committedAtMs: number;
}

/**
 * How long each record took from its sending to its commit's timestamp, in milliseconds, in no order.
 *
 * @throws {Error} for a record that no commit took, or two did
 */
export function eventLatencies(sent: readonly SentRecords[], lineage: readonly LineageRow[]): number[] {
  const commits = Map.groupBy(lineage, ({ partition }) => partition);
  for (const rows of commits.values()) rows.sort((left, right) => left.fromOffset - right.fromOffset);
  const milliseconds: number[] = [];
  for (const { partition, fromOffset, count, sentAtMs } of sent) {
    let taken = 0;
    for (const commit of commits.get(partition) ?? []) {
      const from = Math.max(fromOffset, commit.fromOffset);
      const to = Math.min(fromOffset + count, commit.toOffset);
      for (let offset = from; offset < to; offset += 1) milliseconds.push(commit.committedAtMs - sentAtMs);
      taken += Math.max(0, to - from);
    }
    if (taken !== count) {
      const place = `${partition}/${fromOffset}`;
      throw new Error(`Lineage has ${taken} commits of records for the ${count} that were sent from ${place} on`);
    }
  }
  return milliseconds;
}
