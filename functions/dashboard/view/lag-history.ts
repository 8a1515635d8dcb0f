const KEEP_MS = 120_000;
const LEAST_SPAN_MS = 20_000;
const MAX_SAMPLES = 150;

/** What a pipeline's lag was when the page was made before. */
export interface LagSample {
  readonly atMs: number;
  readonly lagRecords: number;
}

/** By pipeline, oldest first. */
export type LagHistory = ReadonlyMap<string, readonly LagSample[]>;

/** Adds what was seen now, and drops what is older than two minutes. */
export function recordLag(history: LagHistory, atMs: number, lags: ReadonlyMap<string, number>): LagHistory {
  return new Map(
    [...lags].map(([pipeline, lagRecords]) => {
      const kept = (history.get(pipeline) ?? []).filter((sample) => sample.atMs > atMs - KEEP_MS);
      return [pipeline, [...kept, { atMs, lagRecords }].slice(-MAX_SAMPLES)];
    }),
  );
}

/** Records a minute by which the lag grew over what is kept; undefined below 20 s of it. */
export function lagGrowthPerMinute(samples: readonly LagSample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs - first.atMs < LEAST_SPAN_MS) return undefined;
  return ((last.lagRecords - first.lagRecords) * 60_000) / (last.atMs - first.atMs);
}

/** When the pipeline was last seen with nothing waiting. */
export function lastCaughtUpAt(samples: readonly LagSample[]): number | undefined {
  return samples.findLast(({ lagRecords }) => lagRecords === 0)?.atMs;
}
