/** A double is a whole number of this power of two: that of its smallest. */
const LOWEST_EXPONENT = -1074;
/** Of a square of a double. */
const LOWEST_SQUARE_EXPONENT = 2 * LOWEST_EXPONENT;
const LIMB_BITS = 32;
const TWO_13 = 2 ** 13;
const TWO_27 = 2 ** 27;
const TWO_32 = 2 ** 32;
/** Powers of two within a limb. */
const POWERS = Float64Array.from({ length: LIMB_BITS }, (_, bit) => 2 ** bit);
/** A limb is a double: exact below 2^53, and each sum adds less than 2^32 to it. */
const MAX_PENDING = 2 ** 20;
/** A square's 4,200 bits, and room to add up 2^53 of them. */
const LIMBS = 136;

const bits = new DataView(new ArrayBuffer(8));

/**
 * A sum of doubles, or of their squares, without any rounding: a fixed-point number wide enough for all of them. So it does not
 * depend on the order, or on how the numbers were divided.
 */
export class ExactSum {
  #limbs = new Float64Array(LIMBS);
  #pending = 0;

  /** @throws {RangeError} for NaN and infinities */
  add(value: number): void {
    const { mantissa, exponent, sign } = parts(value);
    this.#addAt(mantissa, exponent - LOWEST_SQUARE_EXPONENT, sign);
  }

  /** @throws {RangeError} for NaN and infinities */
  addSquare(value: number): void {
    const { mantissa, exponent } = parts(value);
    // (a · 2^27 + b)², each product below 2^53 after the middle one is halved once more by its factor 2.
    const a = Math.floor(mantissa / TWO_27);
    const b = mantissa - a * TWO_27;
    const at = 2 * exponent - LOWEST_SQUARE_EXPONENT;
    this.#addAt(a * a, at + 54, 1);
    this.#addAt(a * b, at + 28, 1);
    const high = Math.floor(b / TWO_13);
    const low = b - high * TWO_13;
    this.#addAt(high * high, at + 26, 1);
    this.#addAt(high * low, at + 14, 1);
    this.#addAt(low * low, at, 1);
  }

  merge(other: ExactSum): void {
    this.#settle();
    other.#settle();
    for (let at = 0; at < LIMBS; at += 1) this.#limbs[at] = (this.#limbs[at] ?? 0) + (other.#limbs[at] ?? 0);
    this.#settle();
  }

  /** The sum times `2 ** 2148`. */
  scaled(): bigint {
    this.#settle();
    let sum = 0n;
    for (let at = LIMBS - 1; at >= 0; at -= 1) sum = (sum << 32n) + BigInt(this.#limbs[at] ?? 0);
    return sum;
  }

  /** As `scaled()`, for a text that another process takes up. */
  toJSON(): string {
    return this.scaled().toString(16);
  }

  /** @throws {RangeError} for a text that no sum wrote */
  static parse(text: string): ExactSum {
    if (!/^-?[0-9a-f]{1,1080}$/.test(text)) throw new RangeError(`${text.slice(0, 64)} is no exact sum`);
    const sum = new ExactSum();
    const isNegative = text.startsWith('-');
    let rest = BigInt(`0x${isNegative ? text.slice(1) : text}`);
    for (let at = 0; at < LIMBS && rest > 0n; at += 1) {
      sum.#limbs[at] = Number(rest & 0xffff_ffffn) * (isNegative ? -1 : 1);
      rest >>= 32n;
    }
    return sum;
  }

  /** Adds `sign · mantissa · 2^bit`, with a mantissa below 2^54. */
  #addAt(mantissa: number, bit: number, sign: number): void {
    const limb = Math.floor(bit / LIMB_BITS);
    const factor = POWERS[bit - limb * LIMB_BITS] ?? 1;
    const limbs = this.#limbs;
    // Each half is below 2^32, and shifted below 2^64 as a double of 32 significant bits: nothing is rounded.
    const top = Math.floor(mantissa / TWO_32);
    const low = (mantissa - top * TWO_32) * factor;
    const high = top * factor;
    const lowCarry = Math.floor(low / TWO_32);
    const highCarry = Math.floor(high / TWO_32);
    limbs[limb] = (limbs[limb] ?? 0) + sign * (low - lowCarry * TWO_32);
    limbs[limb + 1] = (limbs[limb + 1] ?? 0) + sign * (lowCarry + high - highCarry * TWO_32);
    limbs[limb + 2] = (limbs[limb + 2] ?? 0) + sign * highCarry;
    this.#pending += 1;
    if (this.#pending >= MAX_PENDING) this.#settle();
  }

  /** Carries what is over 32 bits to the next limb, so that limbs stay exact. */
  #settle(): void {
    const limbs = this.#limbs;
    let carry = 0;
    for (let at = 0; at < LIMBS; at += 1) {
      const sum = (limbs[at] ?? 0) + carry;
      carry = Math.trunc(sum / TWO_32);
      limbs[at] = sum - carry * TWO_32;
    }
    this.#pending = 0;
  }
}

/**
 * The double nearest to a quotient, ties to even.
 *
 * @param denominator positive
 */
export function nearestQuotient(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0;
  const magnitude = numerator < 0n ? -numerator : numerator;
  // The quotient has 55 or 56 bits, so that what is cut off only decides on which side of the middle it lies.
  const wantedShift = bitLength(magnitude) - bitLength(denominator) - 55;
  // Below the smallest normal double there are fewer bits: those past its end must not be rounded twice.
  const shift = Math.max(wantedShift, LOWEST_EXPONENT - 2);
  const top = shift < 0 ? magnitude << BigInt(-shift) : magnitude;
  const bottom = shift > 0 ? denominator << BigInt(shift) : denominator;
  const quotient = top / bottom;
  const isExact = quotient * bottom === top;
  // A set lowest bit stands for whatever was cut off.
  const sticky = isExact ? quotient : quotient | 1n;
  const rounded = Number(sticky);
  const value = shift < -1000 ? rounded * 2 ** -1000 * 2 ** (shift + 1000) : rounded * 2 ** shift;
  return numerator < 0n ? -value : value;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

function parts(value: number): { mantissa: number; exponent: number; sign: number } {
  if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be summed up`);
  bits.setFloat64(0, value);
  const high = bits.getUint32(0);
  const low = bits.getUint32(4);
  const biased = (high >>> 20) & 0x7ff;
  const fraction = (high & 0xf_ffff) * TWO_32 + low;
  return {
    mantissa: biased === 0 ? fraction : fraction + 2 ** 52,
    exponent: biased === 0 ? LOWEST_EXPONENT : biased - 1075,
    sign: high >>> 31 === 0 ? 1 : -1,
  };
}
