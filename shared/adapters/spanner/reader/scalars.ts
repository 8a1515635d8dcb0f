import { DecodeError } from './reader-error.ts';

const TWO_32 = 0x1_0000_0000;
const ZERO = 0x30;
const MINUS = 0x2d;
const DOT = 0x2e;
const DAY_SECONDS = 86_400;
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** No date is that day. */
const UNKNOWN_DAY = -0x8000_0000;
/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;
/** Digits that 32 bits hold. */
const SMALL_DIGITS = 9;

/**
 * Reads decimal digits straight into a 64-bit slot.
 *
 * @param halves the slots as pairs of low and high halves
 * @throws {DecodeError} for anything but an INT64
 */
export function readInt64(bytes: Buffer, from: number, to: number, halves: Int32Array, slot: number): void {
  const isNegative = bytes[from] === MINUS;
  const first = isNegative ? from + 1 : from;
  if (to - first > EXACT_DIGITS || to <= first) {
    readWideInt64(bytes, from, to, halves, slot);
    return;
  }
  if (to - first <= SMALL_DIGITS) {
    let small = 0;
    for (let at = first; at < to; at += 1) small = (small * 10 + digit(bytes, at)) | 0;
    if (isNegative) small = -small | 0;
    halves[slot * 2] = small;
    halves[slot * 2 + 1] = small >> 31;
    return;
  }
  let value = 0;
  for (let at = first; at < to; at += 1) value = value * 10 + digit(bytes, at);
  if (isNegative) value = -value;
  // Floor, so that the low half of a negative number is its two's complement.
  const high = Math.floor(value / TWO_32);
  halves[slot * 2] = value - high * TWO_32;
  halves[slot * 2 + 1] = high;
}

function readWideInt64(bytes: Buffer, from: number, to: number, halves: Int32Array, slot: number): void {
  const text = bytes.toString('latin1', from, to);
  if (!/^-?\d{1,19}$/.test(text)) throw new DecodeError('an INT64 is no decimal number');
  const value = BigInt(text);
  if (value > MAX_INT64 || value < MIN_INT64) throw new DecodeError('an INT64 is out of range');
  halves[slot * 2] = Number(BigInt.asIntN(32, value));
  halves[slot * 2 + 1] = Number(value >> 32n);
}

/** Reads what a FLOAT that is no finite number travels as. */
export function readFloatText(bytes: Buffer, from: number, to: number): number {
  const text = bytes.toString('latin1', from, Math.min(to, from + 16));
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return Number(text);
  throw new DecodeError('a FLOAT is neither a number nor NaN nor an infinity');
}

/** Reads a TIMESTAMP's text into a slot. */
type ReadTimestamp = (
  view: DataView,
  from: number,
  to: number,
  into: { readonly seconds: Float64Array; readonly nanos: Int32Array },
  slot: number,
) => void;

/**
 * Makes the reading of `YYYY-MM-DDTHH:MM:SS[.fraction]Z`. It keeps what days the dates of one year are: rows are in no order of
 * their time, but seldom of many years. Four characters are looked at as one number: half the time of one by one.
 *
 * @throws {DecodeError} for anything else, and for days and times that do not exist
 */
export function timestampReader(): ReadTimestamp {
  let knownYear = 0;
  const days = new Int32Array(13 * 32).fill(UNKNOWN_DAY);
  return (view, from, to, into, slot) => {
    if (to - from < 20 || to - from > 30) throw badTimestamp();
    // Little-endian, so that the first character is the lowest byte: YYYY, -MM-, DDTH, H:MM, :SSZ.
    const years = view.getInt32(from, true);
    const months = view.getInt32(from + 4, true);
    const daysAndHour = view.getInt32(from + 8, true);
    const minutes = view.getInt32(from + 12, true);
    const seconds = view.getInt32(from + 16, true);
    const separators =
      ((months & 0xff0000ff) ^ 0x2d00002d) |
      ((daysAndHour & 0x00ff0000) ^ 0x00540000) |
      ((minutes & 0x0000ff00) ^ 0x00003a00) |
      ((seconds & 0x000000ff) ^ 0x0000003a);
    const monthAndDay = ((months >>> 8) & 0xffff) | (daysAndHour << 16);
    const hourAndMinute = (daysAndHour >>> 24) | ((minutes & 0xff) << 8) | (minutes & 0xffff0000);
    const second = ((seconds >>> 8) & 0xffff) | 0x30300000;
    const strange =
      separators | notDigits(years) | notDigits(monthAndDay) | notDigits(hourAndMinute) | notDigits(second);
    if (strange !== 0 || view.getUint8(to - 1) !== 0x5a) throw badTimestamp();
    const pair = pairsOf(monthAndDay);
    const time = pairsOf(hourAndMinute);
    const yearPairs = pairsOf(years);
    const year = (yearPairs & 0xff) * 100 + (yearPairs >> 16);
    const month = pair & 0xff;
    const day = pair >> 16;
    if (month > 12 || day > 31) throw badTimestamp();
    if (year !== knownYear) {
      days.fill(UNKNOWN_DAY);
      knownYear = year;
    }
    let since1970 = days[month * 32 + day] ?? UNKNOWN_DAY;
    if (since1970 === UNKNOWN_DAY) {
      if (year < 1 || month < 1 || day < 1 || day > daysOfMonth(year, month)) throw badTimestamp();
      since1970 = daysSince1970(year, month, day);
      days[month * 32 + day] = since1970;
    }
    const hour = time & 0xff;
    const minute = time >> 16;
    const ofMinute = pairsOf(second) & 0xff;
    if (hour > 23 || minute > 59 || ofMinute > 59) throw badTimestamp();
    into.seconds[slot] = since1970 * DAY_SECONDS + ((hour * 60 + minute) * 60 + ofMinute);
    into.nanos[slot] = to - from === 20 ? 0 : readFraction(view, from + 19, to - 1);
  };
}

/** @returns 0 where each of the four bytes is a decimal digit's */
function notDigits(four: number): number {
  return ((four & 0xf0f0f0f0) ^ 0x30303030) | (((four + 0x06060606) & 0xf0f0f0f0) ^ 0x30303030);
}

/** Of four digits the number that the first two are, in the low half, and that of the last two, in the high half. */
function pairsOf(four: number): number {
  const digits = four & 0x0f0f0f0f;
  return (digits * 10 + (digits >> 8)) & 0x00ff00ff;
}

function readFraction(view: DataView, from: number, to: number): number {
  const count = to - from - 1;
  if (view.getUint8(from) !== DOT || count < 1 || count > 9) throw badTimestamp();
  let value = 0;
  for (let at = from + 1; at < to; at += 1) {
    const digit = view.getUint8(at) - ZERO;
    if (digit < 0 || digit > 9) throw badTimestamp();
    value = value * 10 + digit;
  }
  return value * 10 ** (9 - count);
}

function digit(bytes: Buffer, at: number): number {
  const value = (bytes[at] ?? 0) - ZERO;
  if (value < 0 || value > 9) throw new DecodeError('there is another character where a digit must be');
  return value;
}

function badTimestamp(): DecodeError {
  return new DecodeError('a TIMESTAMP is not of the form YYYY-MM-DDTHH:MM:SS.fffffffffZ');
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Howard Hinnant's `days_from_civil`. https://howardhinnant.github.io/date_algorithms.html */
function daysSince1970(year: number, month: number, day: number): number {
  const march = month > 2 ? month - 3 : month + 9;
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * march + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}
