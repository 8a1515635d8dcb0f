import { patternSteps } from '../values/time-pattern.ts';
import { isDay } from '../values/timestamp.ts';
import { localToUtc } from '../values/zone-offset.ts';
import { DATE_LENGTH, DayText, dayNumber, MAX_DAY, MIN_DAY, writeTwo } from './day-text.ts';
import { type WriteCell, type WriteNumber, writeText, writeTextHead } from './write-cells.ts';

const DAY_MS = 86_400_000;
const MAX_FRACTION_DIGITS = 9;
/** `yyyy-MM-ddTHH:mm:ss`. */
const SECONDS_LENGTH = 19;

/** Two digits; negative where there are none. */
function two(source: Uint8Array, at: number): number {
  const tens = (source[at] ?? 0) - 0x30;
  const ones = (source[at + 1] ?? 0) - 0x30;
  return (tens | ones | (9 - tens) | (9 - ones)) < 0 ? -1 : tens * 10 + ones;
}

function four(source: Uint8Array, at: number): number {
  const high = two(source, at);
  const low = two(source, at + 2);
  return (high | low) < 0 ? -1 : high * 100 + low;
}

/** The place after the last digit of a fraction that is not 0. */
function significantEnd(source: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && source[end - 1] === 0x30) end--;
  return end;
}

/** A TIMESTAMP cell; `[from, to)` are the digits of the source's fraction. */
function writeInstant(
  day: DayText,
  out: Buffer,
  at: number,
  utcMs: number,
  source: Buffer,
  from: number,
  to: number,
): number {
  const number = Math.floor(utcMs / DAY_MS);
  if (number < MIN_DAY || number > MAX_DAY) return -1;
  const end = significantEnd(source, from, to);
  const digits = end - from;
  let next = writeTextHead(out, at, SECONDS_LENGTH + (digits > 0 ? digits + 1 : 0) + 1);
  day.write(out, next, number);
  next = writeTimeOfDay(out, next + DATE_LENGTH, (utcMs - number * DAY_MS) / 1000);
  if (digits > 0) {
    out[next++] = 0x2e;
    for (let place = from; place < end; place++) out[next++] = source[place] ?? 0;
  }
  out[next++] = 0x5a;
  return next;
}

function writeTimeOfDay(out: Uint8Array, at: number, second: number): number {
  const hour = (second / 3600) | 0;
  const ofHour = second - hour * 3600;
  const minute = (ofHour / 60) | 0;
  out[at] = 0x54;
  writeTwo(out, at + 1, hour);
  out[at + 3] = 0x3a;
  writeTwo(out, at + 4, minute);
  out[at + 6] = 0x3a;
  writeTwo(out, at + 7, ofHour - minute * 60);
  return at + 9;
}

/** True where digits alone stand. */
function areDigits(source: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = source[at] ?? 0;
    if (byte < 0x30 || byte > 0x39) return false;
  }
  return true;
}

/** Milliseconds since 1970 of `yyyy-MM-ddTHH:mm:ss`; NaN where there is no such time. */
function secondsAt(source: Uint8Array, at: number): number {
  if (source[at + 4] !== 0x2d || source[at + 7] !== 0x2d) return Number.NaN;
  if (source[at + 10] !== 0x54 || source[at + 13] !== 0x3a || source[at + 16] !== 0x3a) return Number.NaN;
  return instantOf(
    four(source, at),
    two(source, at + 5),
    two(source, at + 8),
    two(source, at + 11),
    two(source, at + 14),
    two(source, at + 17),
  );
}

/** NaN where there is no such time; digits that were none are negative. */
function instantOf(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  if ((hour | minute | second) < 0 || hour > 23 || minute > 59 || second > 59) return Number.NaN;
  return dayMs(year, month, day) + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** Neighbours in a stream mostly share their day. */
const last = { year: 1970, month: 1, day: 1, ms: 0 };

/** Milliseconds since 1970 of a day's beginning; NaN where there is no such day. */
function dayMs(year: number, month: number, day: number): number {
  if (day === last.day && month === last.month && year === last.year) return last.ms;
  last.ms = isDay(year, month, day) ? dayNumber(year, month, day) * DAY_MS : Number.NaN;
  last.year = year;
  last.month = month;
  last.day = day;
  return last.ms;
}

/** TIMESTAMP of RFC 3339, in UTC or with an offset. */
export function timestampWriter(): WriteCell {
  const day = new DayText();
  return (out, at, source, from, to) => {
    if (to - from <= SECONDS_LENGTH) return -1;
    const utc = source[to - 1] === 0x5a;
    const end = utc ? to - 1 : to - 6;
    const fraction = from + SECONDS_LENGTH + 1;
    if (end < fraction - 1 || end - fraction > MAX_FRACTION_DIGITS) return -1;
    if (end >= fraction && (source[fraction - 1] !== 0x2e || end === fraction || !areDigits(source, fraction, end)))
      return -1;
    const local = secondsAt(source, from);
    const offset = utc ? 0 : offsetAt(source, end);
    const utcMs = local - offset;
    if (Number.isNaN(utcMs)) return -1;
    return writeInstant(day, out, at, utcMs, source, fraction, Math.max(end, fraction));
  };
}

/** Milliseconds of `+HH:mm`; NaN where none stands. */
function offsetAt(source: Uint8Array, at: number): number {
  const sign = source[at];
  const hours = two(source, at + 1);
  const minutes = two(source, at + 4);
  if ((sign !== 0x2b && sign !== 0x2d) || source[at + 3] !== 0x3a || (hours | minutes) < 0) return Number.NaN;
  if (hours > 23 || minutes > 59) return Number.NaN;
  return (sign === 0x2b ? 1 : -1) * (hours * 60 + minutes) * 60_000;
}

/** DATE as `yyyy-MM-dd`. */
export const writeDate: WriteCell = (out, at, source, from, to) => {
  if (to - from !== DATE_LENGTH || source[from + 4] !== 0x2d || source[from + 7] !== 0x2d) return -1;
  if (!isDay(four(source, from), two(source, from + 5), two(source, from + 8))) return -1;
  return writeText(out, at, source, from, to);
};

/** Where the fields of a pattern stand, whose width is always the same. */
interface Layout {
  readonly length: number;
  /** Places and bytes of what stands between the fields, in pairs. */
  readonly signs: Int32Array;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** -1 for a field that the pattern lacks; so also below. */
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly fraction: number;
  readonly fractionDigits: number;
}

/** @throws {RangeError} as `timestampPattern` */
function layoutOf(pattern: string): Layout {
  const signs: number[] = [];
  const places: Record<string, number> = {};
  let at = 0;
  let fractionDigits = 0;
  for (const step of patternSteps(pattern)) {
    if ('literal' in step) {
      for (const byte of Buffer.from(step.literal)) signs.push(at++, byte);
    } else {
      places[step.field] = at;
      at += step.width;
      if (step.field === 'fraction') fractionDigits = step.width;
    }
  }
  const { year = -1, month = -1, day = -1, hour = -1, minute = -1, second = -1, fraction = -1 } = places;
  return {
    length: at,
    signs: Int32Array.from(signs),
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction,
    fractionDigits,
  };
}

/** Local milliseconds since 1970 of a text by a pattern; NaN where it does not follow it. */
function localMsAt(layout: Layout, source: Uint8Array, from: number, to: number): number {
  const { signs } = layout;
  if (to - from !== layout.length) return Number.NaN;
  for (let at = 0; at < signs.length; at += 2) {
    if (source[from + (signs[at] ?? 0)] !== signs[at + 1]) return Number.NaN;
  }
  return instantOf(
    four(source, from + layout.year),
    two(source, from + layout.month),
    two(source, from + layout.day),
    layout.hour < 0 ? 0 : two(source, from + layout.hour),
    layout.minute < 0 ? 0 : two(source, from + layout.minute),
    layout.second < 0 ? 0 : two(source, from + layout.second),
  );
}

/**
 * TIMESTAMP by a pattern.
 *
 * @throws {RangeError} as `timestampPattern`
 */
export function timestampPatternWriter(pattern: string, zone: string | undefined): WriteCell {
  const layout = layoutOf(pattern);
  const toUtc = zone === undefined ? (localMs: number) => localMs : localToUtc(zone);
  const day = new DayText();
  return (out, at, source, from, to) => {
    const local = localMsAt(layout, source, from, to);
    if (Number.isNaN(local)) return -1;
    const fraction = from + Math.max(0, layout.fraction);
    const end = fraction + layout.fractionDigits;
    if (!areDigits(source, fraction, end)) return -1;
    return writeInstant(day, out, at, toUtc(local), source, fraction, end);
  };
}

/** DATE by a pattern; @throws {RangeError} as `timestampPattern` */
export function datePatternWriter(pattern: string): WriteCell {
  const layout = layoutOf(pattern);
  const day = new DayText();
  return (out, at, source, from, to) => {
    const local = localMsAt(layout, source, from, to);
    const fraction = from + Math.max(0, layout.fraction);
    if (Number.isNaN(local) || !areDigits(source, fraction, fraction + layout.fractionDigits)) return -1;
    const start = writeTextHead(out, at, DATE_LENGTH);
    day.write(out, start, Math.floor(local / DAY_MS));
    return start + DATE_LENGTH;
  };
}

/** DATE of days since 1970. */
export function dayWriter(): WriteNumber {
  const day = new DayText();
  return (out, at, value) => {
    if (value < MIN_DAY || value > MAX_DAY) return -1;
    const start = writeTextHead(out, at, DATE_LENGTH);
    day.write(out, start, value);
    return start + DATE_LENGTH;
  };
}

/** TIMESTAMP of milliseconds or microseconds since 1970. */
export function instantWriter(perSecond: 1_000 | 1_000_000): WriteNumber {
  const day = new DayText();
  const digits = Buffer.alloc(perSecond === 1_000 ? 3 : 6);
  return (out, at, value) => {
    const second = Math.floor(value / perSecond);
    let fraction = value - second * perSecond;
    if (fraction === 0) return writeInstant(day, out, at, second * 1000, digits, 0, 0);
    for (let place = digits.length - 1; place >= 0; place--) {
      const tenth = (fraction / 10) | 0;
      digits[place] = 0x30 + fraction - tenth * 10;
      fraction = tenth;
    }
    return writeInstant(day, out, at, second * 1000, digits, 0, digits.length);
  };
}
