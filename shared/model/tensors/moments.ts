import { ExactSum, nearestQuotient } from './exact-sum.ts';

/** A double is this part of a whole number in an exact sum. */
const SUM_SCALE = 2n ** 2148n;

/** What partial moments are written as. */
export interface MomentsState {
  readonly count: number;
  readonly sum: string;
  readonly squares: string;
  /** 0 when there are no values. */
  readonly min: number;
  readonly max: number;
}

/**
 * Count, mean, variance, minimum and maximum of numbers. All are exact until they are asked for, so that the same numbers give the
 * same answer to the last bit, in whatever order and parts they came.
 */
export class Moments {
  #count = 0;
  #sum = new ExactSum();
  #squares = new ExactSum();
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  get count(): number {
    return this.#count;
  }

  /** 0 when there are no values. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  /** 0 when there are no values. */
  get max(): number {
    return this.#count === 0 ? 0 : this.#max;
  }

  /** The double nearest to the mean; 0 when there are no values. */
  get mean(): number {
    return this.#count === 0 ? 0 : nearestQuotient(this.#sum.scaled(), BigInt(this.#count) * SUM_SCALE);
  }

  /** The double nearest to the variance of the whole population; 0 when there are no values. */
  get variance(): number {
    if (this.#count === 0) return 0;
    const count = BigInt(this.#count);
    const sum = this.#sum.scaled();
    // Both sums count in 2^-2148, so the square of one counts in its square.
    const spread = count * this.#squares.scaled() * SUM_SCALE - sum * sum;
    return nearestQuotient(spread, count * count * SUM_SCALE * SUM_SCALE);
  }

  /** @param value finite */
  add(value: number): void {
    this.#count += 1;
    this.#sum.add(value);
    this.#squares.addSquare(value);
    // -0 and 0 are the same number, and which of them came first must not show.
    if (value < this.#min) this.#min = value + 0;
    if (value > this.#max) this.#max = value + 0;
  }

  merge(other: Moments): void {
    this.#count += other.#count;
    this.#sum.merge(other.#sum);
    this.#squares.merge(other.#squares);
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  toJSON(): MomentsState {
    return {
      count: this.count,
      sum: this.#sum.toJSON(),
      squares: this.#squares.toJSON(),
      min: this.min,
      max: this.max,
    };
  }

  static of({ count, sum, squares, min, max }: MomentsState): Moments {
    const moments = new Moments();
    moments.#count = count;
    moments.#sum = ExactSum.parse(sum);
    moments.#squares = ExactSum.parse(squares);
    if (count > 0) {
      moments.#min = min;
      moments.#max = max;
    }
    return moments;
  }
}
