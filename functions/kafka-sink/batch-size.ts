/** Where it begins, as a share of the most that is allowed. */
const FIRST_SHARE = 1 / 4;
const GROWTH = 1.5;
const SLOW_SHRINK = 0.75;
/** A commit of some MiB takes well under this while Spanner is at ease. */
const FAST_MS = 250;
/** Longer, and others wait for our locks. */
const SLOW_MS = 1_000;
/** Below, the commits cost more than the conflicts. */
const LEAST = 50;

/** How many records one commit takes: more while commits are fast and full, fewer when they are aborted or slow. */
export interface BatchSize {
  limit(): number;
  /** A commit of so many records took so long, from its first attempt on. */
  committed(records: number, milliseconds: number): void;
  /** Another transaction was in the way. */
  aborted(): void;
}

/** @param maxRecords the most that a commit may take */
export function batchSize(maxRecords: number): BatchSize {
  const least = Math.min(LEAST, maxRecords);
  let limit = Math.max(least, Math.ceil(maxRecords * FIRST_SHARE));
  let wasAborted = false;
  const set = (wanted: number): void => {
    limit = Math.min(maxRecords, Math.max(least, Math.round(wanted)));
  };
  return {
    limit: () => limit,
    committed(records, milliseconds) {
      if (milliseconds > SLOW_MS) set(limit * SLOW_SHRINK);
      else if (!wasAborted && milliseconds < FAST_MS && records >= limit) set(limit * GROWTH);
      wasAborted = false;
    },
    aborted() {
      wasAborted = true;
      set(limit / 2);
    },
  };
}
