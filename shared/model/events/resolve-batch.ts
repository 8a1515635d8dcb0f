import type { CompiledPipeline } from './compile-pipeline.ts';
import type { CompiledTarget } from './compile-target.ts';
import type { MappedRecord } from './mapped-record.ts';
import { type Resolution, resolveChanges, type StoredRows } from './resolve-changes.ts';

/** What each target's table holds for the keys of a batch. */
export type StoredByTarget = ReadonlyMap<CompiledTarget, StoredRows>;

/**
 * Resolves a run of records, in their order, to what all tables of the pipeline must hold.
 *
 * @param stored rows read in the same transaction, for each target's `keysToRead`
 */
export function resolveBatch(
  { targets }: CompiledPipeline,
  mapped: readonly MappedRecord[],
  stored: StoredByTarget,
): Resolution {
  const parts = targets.map((target) => resolveTarget(target, mapped, stored));
  const lost = mapped.flatMap(({ target, change }, at) =>
    !target && change.kind === 'poison' ? [{ at, poison: change.poison, reason: change.reason }] : [],
  );
  const ignored = mapped.flatMap(({ target, change }, at) => (!target && change.kind === 'none' ? [at] : []));
  return {
    mutations: parts.flatMap(({ mutations }) => mutations),
    dead: [...lost, ...parts.flatMap(({ dead }) => dead)].sort((a, b) => a.at - b.at),
    rowCount: parts.reduce((sum, { rowCount }) => sum + rowCount, 0),
    skippedAt: [...ignored, ...parts.flatMap(({ skippedAt }) => skippedAt)].sort((a, b) => a - b),
  };
}

function resolveTarget(target: CompiledTarget, mapped: readonly MappedRecord[], stored: StoredByTarget): Resolution {
  const places: number[] = [];
  for (const [at, item] of mapped.entries()) if (item.target === target) places.push(at);
  const changes = places.flatMap((at) => mapped[at]?.change ?? []);
  const { mutations, dead, rowCount, skippedAt } = resolveChanges(target, changes, stored.get(target) ?? new Map());
  const placeOf = (at: number): number => places[at] ?? at;
  return {
    mutations,
    dead: dead.map((one) => ({ ...one, at: placeOf(one.at) })),
    rowCount,
    skippedAt: skippedAt.map(placeOf),
  };
}
