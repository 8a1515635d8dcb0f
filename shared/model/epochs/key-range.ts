import { compareKeys, type Key, type KeyColumn } from './key.ts';

/** The keys from `from` on and below `to`; undefined is unbounded on that side. */
export interface KeyRange {
  readonly from: Key | undefined;
  readonly to: Key | undefined;
}

/** A key of the table, and how many rows lie from it up to the next sample. */
export interface KeySample {
  readonly key: Key;
  /** Known or estimated. */
  readonly rows: number;
}

/**
 * Cuts all keys into at most `count` ranges that cover every key exactly once, in key order.
 *
 * Each range begins at the sample that holds the row where it should begin.
 *
 * @param samples drawn from the table, sorted as Spanner keeps them, without repeats
 * @param count ranges wanted, >= 1; fewer come out of fewer samples
 * @returns adjacent ranges; the first starts and the last ends unbounded
 * @throws {RangeError} when `count` is not a whole number >= 1
 */
export function cutKeyRange(samples: readonly KeySample[], count: number): KeyRange[] {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`Cannot cut a key range into ${count}: wanted >= 1`);
  const total = samples.reduce((sum, { rows }) => sum + rows, 0);
  const cuts: Key[] = [];
  let before = 0;
  let shard = 1;
  for (const [index, { key, rows }] of samples.entries()) {
    before += rows;
    let isCut = false;
    while (shard < count && Math.floor((total * shard) / count) < before) {
      shard += 1;
      isCut = true;
    }
    // The first sample is the table's first key: a range below it would be empty.
    if (isCut && index > 0) cuts.push(key);
  }
  return [undefined, ...cuts].map((from, index) => ({ from, to: cuts[index] }));
}

/** Cuts a range at those of some keys that lie within it, in their order. */
export function rangesBetween(columns: readonly KeyColumn[], { from, to }: KeyRange, cuts: readonly Key[]): KeyRange[] {
  const within = cuts.filter(
    (cut) =>
      (from === undefined || compareKeys(columns, from, cut) < 0) &&
      (to === undefined || compareKeys(columns, cut, to) < 0),
  );
  return [from, ...within].map((start, at) => ({ from: start, to: within[at] ?? to }));
}

/** Tells whether a range holds a key. */
export function containsKey(columns: readonly KeyColumn[], range: KeyRange, key: Key): boolean {
  if (range.from !== undefined && compareKeys(columns, key, range.from) < 0) return false;
  return range.to === undefined || compareKeys(columns, key, range.to) < 0;
}
