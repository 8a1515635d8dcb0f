import { ExactNumber, Unfit } from '../events/values/document-leaf.ts';
import { formatTimestamp } from '../events/values/timestamp.ts';

const DAY_MS = 86_400_000;
/** 0001-01-01 and 9999-12-31, in days since 1970. */
const FIRST_DAY = -719_162;
const LAST_DAY = 2_932_896;
/** Over what any NUMERIC holds; a longer number costs time that grows with its square. */
const MAX_DECIMAL_BYTES = 256;
const MAX_SCALE = 10_000;

/** A signed 64-bit number: plain where a double holds it. */
export function longLeaf(value: number | bigint): number | ExactNumber {
  if (typeof value === 'number') return value;
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : new ExactNumber(String(value));
}

/** Days since 1970 as a date's text. */
export function dateLeaf(days: number | bigint): string | Unfit {
  if (days < FIRST_DAY || days > LAST_DAY) return new Unfit(`the day ${days} days after 1970-01-01`);
  return new Date(Number(days) * DAY_MS).toISOString().slice(0, 10);
}

/** How many of a unit make a second. */
export type UnitsPerSecond = 1_000 | 1_000_000 | 1_000_000_000;

/** Units since 1970 as an RFC 3339 text in UTC, to the last digit. */
export function timestampLeaf(value: number | bigint, perSecond: UnitsPerSecond): string | Unfit {
  const units = BigInt(value);
  const per = BigInt(perSecond);
  const fraction = ((units % per) + per) % per;
  const seconds = (units - fraction) / per;
  const text = formatTimestamp(Number(seconds) * 1000, digitsOf(fraction, perSecond));
  return text ?? new Unfit(`the time ${value} / ${perSecond} s after 1970`);
}

/** As `timestampLeaf`, of a time without a zone: the text has none either. */
export function localTimestampLeaf(value: number | bigint, perSecond: UnitsPerSecond): string | Unfit {
  const text = timestampLeaf(value, perSecond);
  return typeof text === 'string' ? text.slice(0, -1) : text;
}

/** Units since midnight as `HH:mm:ss`, with a fraction where there is one. */
export function timeOfDayLeaf(value: number | bigint, perSecond: UnitsPerSecond): string | Unfit {
  if (value < 0 || value >= 86_400n * BigInt(perSecond)) {
    return new Unfit(`the time of day ${value} / ${perSecond} s`);
  }
  const text = timestampLeaf(value, perSecond);
  return typeof text === 'string' ? text.slice('1970-01-01T'.length, -1) : text;
}

function digitsOf(fraction: bigint, perSecond: UnitsPerSecond): string {
  return fraction === 0n ? '' : String(fraction).padStart(String(perSecond).length - 1, '0');
}

/**
 * An unscaled whole number in two's complement, highest byte first, with its scale: as a decimal of exactly those digits.
 *
 * @param scale digits after the point; below zero, zeros before it
 */
export function decimalLeaf(bytes: Buffer, scale: number): number | ExactNumber | Unfit {
  if (bytes.length === 0) return new Unfit('a decimal without digits');
  if (bytes.length > MAX_DECIMAL_BYTES || Math.abs(scale) > MAX_SCALE) {
    return new Unfit(`a decimal of ${bytes.length} bytes and scale ${scale}`);
  }
  return scaledLeaf(BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`)), scale);
}

/** As `decimalLeaf`, of a number that is known already. */
export function scaledLeaf(unscaled: bigint, scale: number): number | ExactNumber {
  if (scale <= 0) return longLeaf(unscaled * 10n ** BigInt(-scale));
  const negative = unscaled < 0n;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, '0');
  return new ExactNumber(`${negative ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
}

/** Sixteen bytes as the text of a UUID. */
export function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
