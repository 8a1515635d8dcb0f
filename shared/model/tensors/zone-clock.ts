const QUARTER_SECONDS = 900;
/** From 1972 on every zone's offset changes only at a quarter of an hour. Source: IANA tz database, `theory`. */
const QUARTERS_SINCE_SECONDS = Date.UTC(1972, 0, 8) / 1000;
const MAX_CACHED_QUARTERS = 100_000;

/** A zone's offset at an instant: local time minus UTC, in seconds. */
export type OffsetAt = (epochSeconds: number) => number;

/**
 * Makes a clock of one zone. ICU is asked once for each quarter of an hour that occurs; its table is bounded.
 *
 * @param zone IANA name
 * @throws {RangeError} for a zone that ICU does not know
 */
export function zoneClock(zone: string): OffsetAt {
  if (zone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const known = new Map<number, number>();
  let lastQuarter = Number.NaN;
  let lastOffset = 0;
  return (epochSeconds) => {
    if (epochSeconds < QUARTERS_SINCE_SECONDS) return askOffset(format, Math.floor(epochSeconds));
    const quarter = Math.floor(epochSeconds / QUARTER_SECONDS);
    if (quarter === lastQuarter) return lastOffset;
    let offset = known.get(quarter);
    if (offset === undefined) {
      if (known.size >= MAX_CACHED_QUARTERS) known.clear();
      offset = askOffset(format, quarter * QUARTER_SECONDS);
      known.set(quarter, offset);
    }
    lastQuarter = quarter;
    lastOffset = offset;
    return offset;
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
