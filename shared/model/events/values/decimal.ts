/** A decimal number as digits × 10^exponent, without leading or trailing zeros; zero has no digits. */
export interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INT64_DIGITS = 19;
/** NUMERIC holds 29 digits before and 9 after the point. Source: cloud.google.com/spanner/docs/working-with-numerics. */
const NUMERIC_WHOLE_DIGITS = 29;
const NUMERIC_FRACTION_DIGITS = 9;

/** Reads a decimal exactly; undefined where the text is none, or its exponent has more than 9 digits. */
export function readDecimal(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return { negative: false, digits: '', exponent: 0 };
  return {
    negative: sign === '-',
    digits,
    exponent: Number(exponent) - fraction.length + (all.length - digits.length),
  };
}

/** The INT64 that equals this decimal, as text; undefined when there is none. */
export function toInt64({ negative, digits, exponent }: Decimal): string | undefined {
  if (digits === '') return '0';
  if (exponent < 0 || digits.length + exponent > INT64_DIGITS) return undefined;
  const value = BigInt(`${negative ? '-' : ''}${digits}${'0'.repeat(exponent)}`);
  return inInt64(value) ? String(value) : undefined;
}

/** True for what INT64 holds. */
export function inInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

/** The NUMERIC that equals this decimal, as canonical text; undefined when there is none. */
export function toNumeric({ negative, digits, exponent }: Decimal): string | undefined {
  if (digits === '') return '0';
  if (digits.length + exponent > NUMERIC_WHOLE_DIGITS || -exponent > NUMERIC_FRACTION_DIGITS) return undefined;
  const sign = negative ? '-' : '';
  if (exponent >= 0) return `${sign}${digits}${'0'.repeat(exponent)}`;
  const padded = digits.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/** A NUMERIC as a whole number of billionths, for sums. */
export function toNumericUnits(text: string): bigint {
  const decimal = readDecimal(text);
  if (!decimal) throw new RangeError(`${text} is no NUMERIC`);
  const units = BigInt(decimal.digits || '0') * 10n ** BigInt(decimal.exponent + NUMERIC_FRACTION_DIGITS);
  return decimal.negative ? -units : units;
}

/** The NUMERIC of a whole number of billionths; undefined when it has more than 29 digits before the point. */
export function fromNumericUnits(units: bigint): string | undefined {
  const decimal = readDecimal(`${units}e-${NUMERIC_FRACTION_DIGITS}`);
  return decimal && toNumeric(decimal);
}
