/** How far a shard's reader has come. */
export interface ShardPace {
  readonly shard: number;
  readonly state: string;
  /** Delivered of its own rows. */
  readonly rows: number;
  /** Estimate of all its own rows. */
  readonly plannedRows: number;
  readonly startedAtMs: number | undefined;
  readonly leaseExpiresAtMs: number | undefined;
}

/** A shard that holds the epoch up. */
export interface Laggard {
  readonly shard: number;
  readonly leftMs: number;
}

/**
 * Finds the shard whose reader needs longest, for a reader that has nothing else to do.
 *
 * @param epoch.minLeftMs one that is ready sooner is not worth a cut
 * @returns undefined while shards wait for a reader, or when none lags
 */
export function chooseLaggard(
  shards: readonly ShardPace[],
  epoch: { readonly nowMs: number; readonly minLeftMs: number },
): Laggard | undefined {
  const open = shards.filter(({ state }) => state !== 'done');
  const isRead = ({ state, leaseExpiresAtMs }: ShardPace): boolean =>
    state === 'reading' && leaseExpiresAtMs !== undefined && leaseExpiresAtMs > epoch.nowMs;
  if (!open.every(isRead)) return undefined;
  const [slowest] = open
    .map((shard) => ({ shard: shard.shard, leftMs: leftMsOf(shard, epoch) }))
    .toSorted((one, other) => other.leftMs - one.leftMs);
  return slowest && slowest.leftMs >= epoch.minLeftMs ? slowest : undefined;
}

/**
 * Time that a shard still needs at its mean pace: behind its estimate another eighth, and while it has delivered nothing
 * as long as it has run.
 */
export function leftMsOf(
  { rows, plannedRows, startedAtMs }: Pick<ShardPace, 'rows' | 'plannedRows' | 'startedAtMs'>,
  { nowMs }: { readonly nowMs: number },
): number {
  const elapsedMs = Math.max(0, nowMs - (startedAtMs ?? nowMs));
  if (rows === 0) return elapsedMs;
  return (Math.max(plannedRows - rows, rows / 8) / rows) * elapsedMs;
}

/** Estimate of a shard's own rows, given the plan's mean: where it was cut they are known. */
export function plannedRowsOf(
  { start, cut }: { readonly start: { readonly rows: number }; readonly cut: { readonly rows: number } | undefined },
  rowsPerShard: number,
): number {
  return Math.max(0, (cut?.rows ?? rowsPerShard) - start.rows);
}
