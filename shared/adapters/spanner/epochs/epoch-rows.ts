import { type Position, startPosition } from '../../../model/epochs/cut-block.ts';
import type { Manifest } from '../../../model/epochs/manifest.ts';

/** What Spanner takes in place of a value for the commit's own time. */
export const commitTimestamp = 'spanner.commit_timestamp()';

/** A field of a row as the official client's `json: true` gives it. */
export function fieldOf(row: unknown, name: string): unknown {
  if (typeof row !== 'object' || row === null) return undefined;
  return Object.getOwnPropertyDescriptor(row, name)?.value;
}

export function textOf(row: unknown, name: string): string {
  const value = fieldOf(row, name);
  return value === null || value === undefined ? '' : String(value);
}

/** Counts and fences stay far below 2^53. */
export function numberOf(row: unknown, name: string): number {
  return Number(fieldOf(row, name) ?? 0);
}

/** Milliseconds since 1970; undefined for NULL. */
export function timeOf(row: unknown, name: string): number | undefined {
  const value = fieldOf(row, name);
  return value instanceof Date ? value.getTime() : undefined;
}

/** A manifest that we wrote: its version says that it has the shape we know. */
export function isManifest(value: unknown): value is Manifest {
  return fieldOf(value, 'version') === 1 && typeof fieldOf(value, 'plan') === 'object';
}

/** JSON has no undefined: an absent `afterKey` is the start. */
export function readPosition(value: unknown): Position | undefined {
  const afterKey = fieldOf(value, 'afterKey');
  if (!Array.isArray(afterKey)) return undefined;
  const leftOut = numberOf(value, 'leftOut');
  return {
    block: numberOf(value, 'block'),
    afterKey,
    nextSequence: numberOf(value, 'nextSequence'),
    rows: numberOf(value, 'rows'),
    ...(leftOut === 0 ? {} : { leftOut }),
  };
}

/** Which rows of which planned shard a row of `PenstockShards` stands for. */
export interface ShardPart {
  readonly of: number;
  readonly start: Position;
  readonly cut: Position | undefined;
}

/**
 * Reads `KeyRange`: a planned shard's is `{ from, to }`; `cut` is added when its rest is cut off, and the row of that rest
 * says with `of` and `start` what it is the rest of.
 */
export function readPart(keyRange: unknown, shard: number): ShardPart {
  const of = fieldOf(keyRange, 'of');
  return {
    of: typeof of === 'number' ? of : shard,
    start: readPosition(fieldOf(keyRange, 'start')) ?? startPosition,
    cut: readPosition(fieldOf(keyRange, 'cut')),
  };
}
