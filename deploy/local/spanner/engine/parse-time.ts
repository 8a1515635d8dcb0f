const TIMESTAMP_PATTERN = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z$/;
const DATE_PATTERN = /^(\d{4})-(\d{1,2})-(\d{1,2})$/;
const NANOS_PER_MS = 1_000_000n;

/** Nanoseconds since 1970 of an RFC 3339 text in UTC (`Z`), the only zone that the protocol takes; undefined if it is none. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = TIMESTAMP_PATTERN.exec(text);
  const [, toSeconds, fraction] = match ?? [];
  if (toSeconds === undefined || !isRealDay(toSeconds.slice(0, 10)) || toSeconds.startsWith('0000')) return undefined;
  const milliseconds = Date.parse(`${toSeconds}Z`);
  // JavaScript takes 24:00:00 for midnight; RFC 3339 does not.
  if (Number.isNaN(milliseconds) || toSeconds.slice(11, 13) === '24') return undefined;
  const nanos = BigInt(milliseconds) * NANOS_PER_MS;
  return fraction === undefined ? nanos : nanos + BigInt(fraction.padEnd(9, '0'));
}

/** RFC 3339 in UTC with as many digits of the second as there are. */
export function printTimestamp(nanoseconds: bigint): string {
  let milliseconds = nanoseconds / NANOS_PER_MS;
  let rest = nanoseconds % NANOS_PER_MS;
  if (rest < 0n) {
    milliseconds -= 1n;
    rest += NANOS_PER_MS;
  }
  const iso = new Date(Number(milliseconds)).toISOString();
  if (rest === 0n) return iso.endsWith('.000Z') ? `${iso.slice(0, -5)}Z` : `${trimZeros(iso.slice(0, -1))}Z`;
  return `${trimZeros(iso.slice(0, -1) + rest.toString().padStart(6, '0'))}Z`;
}

/** `YYYY-MM-DD` of a date text, undefined if there is no such day. */
export function parseDate(text: string): string | undefined {
  const [, year, month, day] = DATE_PATTERN.exec(text) ?? [];
  if (!year || !month || !day || year === '0000') return undefined;
  const date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  return isRealDay(date) ? date : undefined;
}

/** Rows that come together mostly share their day. */
let lastRealDay = '';

function isRealDay(date: string): boolean {
  if (date === lastRealDay) return true;
  if (!isInCalendar(date)) return false;
  lastRealDay = date;
  return true;
}

function isInCalendar(date: string): boolean {
  const day = Number(date.slice(8, 10));
  if (day >= 1 && day <= 28) return !Number.isNaN(Date.parse(`${date}T00:00:00Z`));
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.getUTCDate() === day;
}

function trimZeros(text: string): string {
  return text.replace(/0+$/, '');
}
