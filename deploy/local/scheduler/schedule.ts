import { Cron } from 'croner';

const EVERY = /^every (\d{1,6})(s|m|h|d)$/;
const UNIT_MS = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const MAX_EVERY_MS = 366 * 86_400_000;

/** When a job is due. */
export interface Schedule {
  /** The first tick after this moment; both in milliseconds since 1970. */
  nextAfter(ms: number): number;
}

/**
 * Reads `every 30s|5m|24h|7d`, or a cron expression with five fields.
 *
 * Intervals are counted from `anchorMs`. Cron runs on the zone's wall clock: a time that a clock change skips runs just after it, one
 * that it repeats runs the first time only.
 *
 * @param options.zone IANA name, for cron; UTC when left out
 * @throws {RangeError} naming the schedule and what is wrong with it
 */
export function parseSchedule(text: string, options: { zone?: string | undefined; anchorMs: number }): Schedule {
  const [, count, unit = ''] = EVERY.exec(text) ?? [];
  if (count !== undefined) return everySchedule(text, Number(count) * (UNIT_MS.get(unit) ?? 0), options.anchorMs);
  const cron = parseCron(text, options.zone ?? 'UTC');
  return {
    nextAfter(ms) {
      const next = cron.nextRun(new Date(ms));
      if (next === null) throw new RangeError(`Schedule "${text}" has no tick after ${new Date(ms).toISOString()}`);
      return next.getTime();
    },
  };
}

function everySchedule(text: string, everyMs: number, anchorMs: number): Schedule {
  if (everyMs === 0 || everyMs > MAX_EVERY_MS)
    throw new RangeError(`Schedule "${text}" is not within 1 s and 366 days`);
  return { nextAfter: (ms) => anchorMs + (Math.floor((ms - anchorMs) / everyMs) + 1) * everyMs };
}

function parseCron(text: string, zone: string): Cron {
  try {
    const cron = new Cron(text, { timezone: zone, mode: '5-part', paused: true });
    if (cron.nextRun() === null) throw new RangeError('it never comes');
    return cron;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(
      `Schedule "${text}" in zone ${zone} is neither "every 30s" nor five cron fields such as "0 4 * * *": ${reason}`,
      { cause: error },
    );
  }
}
