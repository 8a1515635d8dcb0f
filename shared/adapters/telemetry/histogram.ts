/** Counts values between bounds, many at a time: the SDK's own takes a microsecond for each value. */
export interface Histogram {
  /** The upper bounds of all buckets but the last, rising. */
  readonly bounds: readonly number[];
  /** One more than bounds; a value equal to a bound counts below it. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  add(value: number): void;
}

/** @param bounds rising */
export function openHistogram(bounds: readonly number[]): Histogram {
  const counts: number[] = new Array(bounds.length + 1).fill(0);
  const totals = { count: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  return {
    bounds,
    counts,
    get count() {
      return totals.count;
    },
    get sum() {
      return totals.sum;
    },
    get min() {
      return totals.min;
    },
    get max() {
      return totals.max;
    },
    add(value) {
      let at = 0;
      while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
      counts[at] = (counts[at] ?? 0) + 1;
      totals.count += 1;
      totals.sum += value;
      if (value < totals.min) totals.min = value;
      if (value > totals.max) totals.max = value;
    },
  };
}
