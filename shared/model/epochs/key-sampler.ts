import type { Key } from './key.ts';
import type { KeySample } from './key-range.ts';

/** Keeps every n-th key of a stream in bounded memory, and counts them all. */
export interface KeySampler {
  /** Rows seen so far. */
  readonly rowCount: number;
  /** How many rows are skipped until the next key is wanted; 0 when the next row's is. */
  readonly rowsUntilNext: number;
  /** Passes rows whose keys are not wanted: at most `rowsUntilNext`. */
  skip(rows: number): void;
  /** Takes the next row's key. */
  take(key: Key): void;
  /** The keys kept, in the order in which they came: every n-th from the first, with the rows up to the next. */
  samples(): KeySample[];
}

/**
 * Samples a sorted stream of keys whose length is not known.
 *
 * When `maxSamples` are full every second one is dropped and the stride doubles, so that the samples stay evenly spaced.
 *
 * @param maxSamples most keys kept, an even number >= 2
 */
export function keySampler(maxSamples: number): KeySampler {
  if (maxSamples < 2 || maxSamples % 2 !== 0) {
    throw new RangeError(`Cannot keep ${maxSamples} samples: wanted is an even number from 2`);
  }
  let kept: Key[] = [];
  let stride = 1;
  let rowCount = 0;
  const until = (): number => (stride - (rowCount % stride)) % stride;
  return {
    get rowCount() {
      return rowCount;
    },
    get rowsUntilNext() {
      return until();
    },
    skip(rows) {
      if (rows > until()) throw new RangeError(`Cannot skip ${rows} rows: the key of the ${until()}th is wanted`);
      rowCount += rows;
    },
    take(key) {
      if (until() !== 0) throw new RangeError(`The next key wanted is ${until()} rows ahead`);
      if (kept.length === maxSamples) {
        kept = kept.filter((_, index) => index % 2 === 0);
        stride *= 2;
      }
      if (until() === 0) kept.push(key);
      rowCount += 1;
    },
    samples: () => kept.map((key, at) => ({ key, rows: Math.min(stride, rowCount - at * stride) })),
  };
}
