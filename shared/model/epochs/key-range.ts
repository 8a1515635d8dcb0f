import { compareKeys, type Key, type KeyColumn } from './key.ts';

/** The keys from `from` on and below `to`; undefined is unbounded on that side. */
export interface KeyRange {
  readonly from: Key | undefined;
  readonly to: Key | undefined;
}

/**
 * Cuts all keys into at most `count` ranges that cover every key exactly once, in key order.
 *
 * Samples that stand for equally many rows give ranges of about equally many rows.
 *
 * @param samples keys drawn from the table, sorted as Spanner keeps them, without repeats
 * @param count ranges wanted, >= 1; fewer come out of fewer samples
 * @returns adjacent ranges; the first starts and the last ends unbounded
 * @throws {RangeError} when `count` is not a whole number >= 1
 */
export function cutKeyRange(samples: readonly Key[], count: number): KeyRange[] {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`Cannot cut a key range into ${count}: wanted >= 1`);
  const cuts: Key[] = [];
  let last = 0;
  for (let shard = 1; shard < count; shard += 1) {
    const index = Math.floor((samples.length * shard) / count);
    const cut = samples[index];
    // The first sample is the table's first key: a range below it would be empty.
    if (index <= last || cut === undefined) continue;
    cuts.push(cut);
    last = index;
  }
  return [undefined, ...cuts].map((from, index) => ({ from, to: cuts[index] }));
}

/** Tells whether a range holds a key. */
export function containsKey(columns: readonly KeyColumn[], range: KeyRange, key: Key): boolean {
  if (range.from !== undefined && compareKeys(columns, key, range.from) < 0) return false;
  return range.to === undefined || compareKeys(columns, key, range.to) < 0;
}
