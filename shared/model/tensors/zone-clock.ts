const DAY_SECONDS = 86_400;
const QUARTER_SECONDS = 900;
/** From 1972 on every zone's offset changes only at a quarter of an hour. Source: IANA tz database, `theory`. */
const QUARTERS_SINCE_SECONDS = Date.UTC(1972, 0, 8) / 1000;
const MAX_KEPT = 100_000;
/** Days that have a place of their own in a table: 1970 to 2149. */
const TABLE_DAYS = 65_536;
const UNKNOWN = -0x8000_0000;
/** Zones that a process keeps the clocks of; there are about 600. */
const MAX_CLOCKS = 64;
const clocks = new Map<string, OffsetAt>();

/** A zone's offset at an instant: local time minus UTC, in seconds. */
export type OffsetAt = (epochSeconds: number) => number;

/**
 * Makes a clock of one zone. ICU, which is slow, is asked twice for each day that occurs, and on the days when clocks change
 * once for each quarter of an hour; all tables are bounded. A zone's clock is the same for all who ask: each day costs ICU as
 * much as the encoding of thousands of rows, and a shard's days are the next one's.
 *
 * @param zone IANA name
 * @throws {RangeError} for a zone that ICU does not know
 */
export function zoneClock(zone: string): OffsetAt {
  if (zone === 'UTC') return () => 0;
  const known = clocks.get(zone);
  if (known) return known;
  const clock = makeClock(zone);
  if (clocks.size >= MAX_CLOCKS) clocks.clear();
  clocks.set(zone, clock);
  return clock;
}

function makeClock(zone: string): OffsetAt {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const ask = (epochSeconds: number): number => askOffset(format, epochSeconds);
  const ofDay = kept((day) => dayOffset(day, ask));
  // Rows are often in no order of their time: a table answers at once where a map would be asked for each row.
  const table = new Int32Array(TABLE_DAYS).fill(UNKNOWN);
  const ofQuarter = kept((quarter) => ask(quarter * QUARTER_SECONDS));
  return (epochSeconds) => {
    if (epochSeconds < QUARTERS_SINCE_SECONDS) return ask(Math.floor(epochSeconds));
    const day = Math.floor(epochSeconds / DAY_SECONDS);
    const known = table[day] ?? UNKNOWN;
    if (known !== UNKNOWN) return known;
    const offset = ofDay(day);
    if (Number.isNaN(offset)) return ofQuarter(Math.floor(epochSeconds / QUARTER_SECONDS));
    if (day < TABLE_DAYS) table[day] = offset;
    return offset;
  };
}

/** The offset of a whole UTC day; NaN when clocks change in it. No zone has changed and changed back within one. */
function dayOffset(day: number, ask: OffsetAt): number {
  const offset = ask(day * DAY_SECONDS);
  return ask((day + 1) * DAY_SECONDS) === offset ? offset : Number.NaN;
}

/** Keeps answers, and the last one at hand: rows are often in the order of their time. */
function kept(answer: (place: number) => number): (place: number) => number {
  const known = new Map<number, number>();
  let lastPlace = Number.NaN;
  let lastAnswer = 0;
  return (place) => {
    if (place === lastPlace) return lastAnswer;
    let found = known.get(place);
    if (found === undefined) {
      if (known.size >= MAX_KEPT) known.clear();
      found = answer(place);
      known.set(place, found);
    }
    lastPlace = place;
    lastAnswer = found;
    return found;
  };
}

/** ICU writes `GMT`, `GMT-06:00` or, for times before zones, `GMT-05:50:36`. */
function askOffset(format: Intl.DateTimeFormat, epochSeconds: number): number {
  const name = format.formatToParts(epochSeconds * 1000).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  if (name === 'GMT') return 0;
  const match = /^GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(name);
  if (!match) throw new RangeError(`ICU gave the offset ${JSON.stringify(name)} at ${epochSeconds} s`);
  const [, sign, hours, minutes, seconds] = match;
  const magnitude = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0);
  return sign === '-' ? -magnitude : magnitude;
}
