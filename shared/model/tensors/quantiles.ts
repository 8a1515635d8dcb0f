const MANTISSA_BITS = 52;
const TWO_32 = 2 ** 32;

const bits = new DataView(new ArrayBuffer(8));

/** What partial counts are written as. */
export interface QuantilesState {
  readonly bits: number;
  readonly counts: readonly (readonly [value: number, count: number])[];
}

/**
 * Counts of numbers for their quantiles, in bounded memory.
 *
 * They are exact as long as there are at most `maxValues` different numbers. Past that, the last bits of all mantissas are
 * dropped, just as many as it takes: a number then counts as the one whose dropped bits are zero. How many bits are dropped
 * depends on the whole set alone, so the result does not depend on the order, or on how the numbers were divided.
 */
export class Quantiles {
  readonly #maxValues: number;
  #bits = MANTISSA_BITS;
  #counts = new Map<number, number>();

  constructor(maxValues = 65_536) {
    this.#maxValues = maxValues;
  }

  /** @param value finite */
  add(value: number): void {
    this.#count(value, 1);
    if (this.#counts.size > this.#maxValues) this.#coarsen();
  }

  merge(other: Quantiles): void {
    if (other.#bits < this.#bits) this.#dropTo(other.#bits);
    for (const [value, count] of other.#counts) this.#count(value, count);
    this.#coarsen();
  }

  /**
   * The bounds that cut the numbers into `parts` of as nearly the same count as whole values allow: for each part but the first,
   * the value at its rank. Values that are too frequent for their part make fewer bounds.
   */
  bounds(parts: number): number[] {
    const sorted = [...this.#counts].sort(([left], [right]) => left - right);
    const total = sorted.reduce((sum, [, count]) => sum + count, 0);
    const bounds: number[] = [];
    let at = 0;
    let below = 0;
    for (let part = 1; part < parts; part += 1) {
      // The value of rank floor(total · part / parts), from 0.
      const rank = Number((BigInt(total) * BigInt(part)) / BigInt(parts));
      while (at < sorted.length && below + (sorted[at]?.[1] ?? 0) <= rank) below += sorted[at++]?.[1] ?? 0;
      const value = sorted[at]?.[0];
      const isFirst = at === 0;
      // A bound at the least value would leave the part below it empty.
      if (value !== undefined && !isFirst && value !== bounds.at(-1)) bounds.push(value);
    }
    return bounds;
  }

  toJSON(): QuantilesState {
    return { bits: this.#bits, counts: [...this.#counts] };
  }

  static of(state: QuantilesState, maxValues?: number): Quantiles {
    const quantiles = new Quantiles(maxValues);
    quantiles.#bits = state.bits;
    quantiles.#counts = new Map(state.counts);
    return quantiles;
  }

  #count(value: number, count: number): void {
    const kept = this.#bits === MANTISSA_BITS ? value + 0 : truncated(value, this.#bits);
    this.#counts.set(kept, (this.#counts.get(kept) ?? 0) + count);
  }

  #coarsen(): void {
    while (this.#counts.size > this.#maxValues && this.#bits > 0) this.#dropTo(this.#bits - 1);
  }

  #dropTo(wanted: number): void {
    this.#bits = wanted;
    const counts = this.#counts;
    this.#counts = new Map();
    for (const [value, count] of counts) this.#count(value, count);
  }
}

/** The number with all but the first `kept` bits of its mantissa zero; 0 for -0. */
function truncated(value: number, kept: number): number {
  bits.setFloat64(0, value);
  const dropped = MANTISSA_BITS - kept;
  if (dropped >= 32) {
    const mask = TWO_32 - 2 ** (dropped - 32);
    bits.setUint32(0, (bits.getUint32(0) & mask) >>> 0);
    bits.setUint32(4, 0);
  } else {
    bits.setUint32(4, (bits.getUint32(4) & (TWO_32 - 2 ** dropped)) >>> 0);
  }
  return bits.getFloat64(0) + 0;
}
