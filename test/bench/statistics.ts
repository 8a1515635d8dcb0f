/** What several rounds gave for one figure. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

const SIGNIFICANT_DIGITS = 4;

/**
 * Sums up the rounds of one figure, each number to four significant digits.
 *
 * @throws {RangeError} without values, and for one that is no finite number
 */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('No round gave this figure');
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd !== undefined) throw new RangeError(`A round gave ${odd}, which is no measurement`);
  const sorted = values.toSorted((left, right) => left - right);
  const half = sorted.length / 2;
  const low = sorted[Math.ceil(half) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(half)] ?? Number.NaN;
  return {
    min: rounded(sorted[0] ?? Number.NaN),
    median: rounded((low + high) / 2),
    max: rounded(sorted.at(-1) ?? Number.NaN),
  };
}

/**
 * The value below which the share `share` of all values lies, by nearest rank.
 *
 * @param share above 0, at most 1
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('A quantile of no values was asked for');
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

function rounded(value: number): number {
  return Number(value.toPrecision(SIGNIFICANT_DIGITS));
}
