const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,40}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const MIN_MS = instant(1, 1, 1, 0, 0, 0);
const MAX_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
const NANOSECOND_DIGITS = 9;

/**
 * An RFC 3339 time as Spanner's TIMESTAMP, in UTC, with up to nine digits of a second and no trailing zeros.
 *
 * @returns undefined when the text is no such time, or needs more than nanoseconds or another year than 1 to 9999
 */
export function readTimestamp(text: string): string | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, , sign, offsetHour, offsetMinute] = match;
  const utc = timeOf(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second));
  if (utc === undefined) return undefined;
  if (sign === undefined) return formatTimestamp(utc, fraction ?? '');
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined;
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000;
  return formatTimestamp(utc + (sign === '+' ? -offsetMs : offsetMs), fraction ?? '');
}

const LOCAL = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,40}))?$/;

/**
 * As `readTimestamp`, of a text that names no zone.
 *
 * @param toUtc local milliseconds since 1970 as those in UTC
 */
export function readLocalTimestamp(text: string, toUtc: (localMs: number) => number): string | undefined {
  const match = LOCAL.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction = ''] = match;
  const local = timeOf(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second));
  return local === undefined ? undefined : formatTimestamp(toUtc(local), fraction);
}

/**
 * @param wholeMs milliseconds since 1970, a whole second
 * @param fraction the digits after the second's point
 */
export function formatTimestamp(wholeMs: number, fraction: string): string | undefined {
  if (wholeMs < MIN_MS || wholeMs > MAX_MS) return undefined;
  const seconds = new Date(wholeMs).toISOString().slice(0, 19);
  if (fraction === '') return `${seconds}Z`;
  const digits = fraction.replace(/0+$/, '');
  if (digits.length > NANOSECOND_DIGITS) return undefined;
  return digits === '' ? `${seconds}Z` : `${seconds}.${digits}Z`;
}

/** A millisecond as TIMESTAMP. */
export function timestampOfMs(ms: number): string | undefined {
  const whole = Math.floor(ms / 1000) * 1000;
  return formatTimestamp(whole, String(ms - whole).padStart(3, '0'));
}

/** A date as Spanner's DATE; undefined when there is no such day in the years 1 to 9999. */
export function readDate(text: string): string | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  return isDay(Number(match[1]), Number(match[2]), Number(match[3])) ? text : undefined;
}

/** Milliseconds since 1970 of a time of day on a day; undefined when either does not exist. */
export function timeOf(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined {
  if (!isDay(year, month, day) || hour > 23 || minute > 59 || second > 59) return undefined;
  return instant(year, month, day, hour, minute, second);
}

function instant(year: number, month: number, day: number, hour: number, minute: number, second: number): number {
  if (year >= 100) return Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.setUTCHours(hour, minute, second);
}

/** True for a day of the calendar from year 1 on. */
export function isDay(year: number, month: number, day: number): boolean {
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
