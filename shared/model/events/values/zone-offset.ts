const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** From 1972 on every zone's offset is a multiple of 15 minutes and changes at one. Source: IANA tz database, `theory`. */
const QUARTERS_SINCE_MS = Date.UTC(1972, 0, 8);
const MAX_CACHED = 100_000;

/** Turns local times of one zone into instants. */
export type LocalToUtc = (localMs: number) => number;

/**
 * Makes the reading of local times of a zone.
 *
 * A local time that exists twice (clocks put back) and one that does not exist (clocks put forward) are read with the
 * offset that was in force before the change, as java.time and Temporal's `compatible` do: no event is lost for the hour
 * it happened in.
 *
 * @param zone IANA name
 * @returns a function from milliseconds since 1970 in local time to milliseconds since 1970 in UTC
 * @throws {RangeError} for a zone that ICU does not know
 */
export function localToUtc(zone: string): LocalToUtc {
  const offsetAt = zoneOffsets(zone);
  const cache = new Map<number, number>();
  const days = new Map<number, number>();
  // Neighbours in a stream mostly share their day.
  let lastDay = Number.NaN;
  let lastOffset = 0;
  return (localMs) => {
    if (localMs < QUARTERS_SINCE_MS) return localMs - resolve(localMs, offsetAt);
    const day = Math.floor(localMs / DAY_MS);
    if (day === lastDay) return localMs - lastOffset;
    let ofDay = days.get(day);
    if (ofDay === undefined) {
      if (days.size >= MAX_CACHED) days.clear();
      ofDay = dayOffset(day * DAY_MS, offsetAt);
      days.set(day, ofDay);
    }
    if (!Number.isNaN(ofDay)) {
      lastDay = day;
      lastOffset = ofDay;
      return localMs - ofDay;
    }
    const quarter = Math.floor(localMs / QUARTER_MS);
    let offset = cache.get(quarter);
    if (offset === undefined) {
      if (cache.size >= MAX_CACHED) cache.clear();
      offset = resolve(quarter * QUARTER_MS, offsetAt);
      cache.set(quarter, offset);
    }
    return localMs - offset;
  };
}

/** The offset of a whole local day; NaN when clocks change in it or within a day of it. Asking ICU costs as much as 10 records. */
function dayOffset(localDayMs: number, offsetAt: (utcMs: number) => number): number {
  const before = offsetAt(localDayMs - DAY_MS);
  return offsetAt(localDayMs + 2 * DAY_MS) === before ? before : Number.NaN;
}

function resolve(localMs: number, offsetAt: (utcMs: number) => number): number {
  const before = offsetAt(localMs - DAY_MS);
  const after = offsetAt(localMs + DAY_MS);
  if (before === after) return before;
  if (offsetAt(localMs - before) === before) return before;
  return offsetAt(localMs - after) === after ? after : before;
}

/** The zone's offset at an instant: local time minus UTC, in milliseconds. */
function zoneOffsets(zone: string): (utcMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    era: 'short',
  });
  return (utcMs) => {
    const wholeSeconds = Math.floor(utcMs / 1000) * 1000;
    const parts: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(wholeSeconds)) parts[type] = value;
    const year = parts.era?.startsWith('B') ? 1 - Number(parts.year) : Number(parts.year);
    const local = new Date(0);
    local.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
    local.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
    return local.getTime() - wholeSeconds;
  };
}
