import type { RotationRecord } from './secret-standing.ts';

/** A version that was in use for longer than its secret's period. */
export interface OverduePeriod {
  readonly version: number;
  readonly madeAtMs: number;
  /** When its period was over. */
  readonly dueAtMs: number;
  /** When another came into use; undefined while it still is. */
  readonly replacedAtMs: number | undefined;
}

/**
 * Tells which versions of a secret were in use past their period within a time. A version counts as made when its rotation began.
 *
 * What was in use before the first rotation that is known is not told: nobody wrote when it was made.
 *
 * @param known all rotations of the secret that are written
 */
export function overduePeriods(
  everyMs: number,
  known: readonly RotationRecord[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): OverduePeriod[] {
  const switches = known
    .flatMap((rotation) => (rotation.finishedAtMs === undefined ? [] : [{ ...rotation, atMs: rotation.finishedAtMs }]))
    .sort((one, other) => one.atMs - other.atMs);
  const madeAt = new Map<number, number>();
  return switches.flatMap(({ kind, toVersion, startedAtMs }, place) => {
    if (toVersion === undefined) return [];
    if (kind === 'rotate') madeAt.set(toVersion, startedAtMs);
    // One that was gone back to is as old as when it was made.
    const madeAtMs = madeAt.get(toVersion);
    if (madeAtMs === undefined) return [];
    const replacedAtMs = switches[place + 1]?.atMs;
    const dueAtMs = madeAtMs + everyMs;
    const endMs = Math.min(replacedAtMs ?? toMs, toMs);
    return endMs > Math.max(dueAtMs, fromMs) ? [{ version: toVersion, madeAtMs, dueAtMs, replacedAtMs }] : [];
  });
}
