import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSchedule } from '../../../../deploy/local/scheduler/schedule.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Midnights in UTC of days on which clocks change, with their zones. */
const CLOCK_CHANGES = [
  { zone: 'America/New_York', at: '2026-03-08' },
  { zone: 'America/New_York', at: '2026-11-01' },
  { zone: 'Europe/Stockholm', at: '2026-03-29' },
  { zone: 'Europe/Stockholm', at: '2026-10-25' },
  { zone: 'Australia/Sydney', at: '2026-04-05' },
  { zone: 'Australia/Sydney', at: '2026-10-04' },
  { zone: 'Asia/Tokyo', at: '2026-06-01' },
];

function wallClock(zone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
  return (ms) => format.format(ms);
}

test('an interval ticks at whole multiples from its anchor, strictly after the moment asked for', () => {
  const units = fc.constantFrom({ unit: 's', ms: 1000 }, { unit: 'm', ms: MINUTE_MS }, { unit: 'h', ms: HOUR_MS });
  const moments = fc.integer({ min: 0, max: 4e12 });
  fc.assert(
    fc.property(
      units,
      fc.integer({ min: 1, max: 8784 }),
      moments,
      moments,
      ({ unit, ms }, count, anchorMs, afterMs) => {
        const tickMs = parseSchedule(`every ${count}${unit}`, { anchorMs }).nextAfter(afterMs);
        assert.ok(tickMs > afterMs && tickMs - afterMs <= count * ms);
        assert.equal(Math.abs((tickMs - anchorMs) % (count * ms)), 0);
      },
    ),
  );
});

test('a daily job runs once on each day of the wall clock, also when clocks change', () => {
  const times = fc.record({ hour: fc.integer({ min: 0, max: 23 }), minute: fc.integer({ min: 0, max: 59 }) });
  fc.assert(
    fc.property(fc.constantFrom(...CLOCK_CHANGES), times, ({ zone, at }, { hour, minute }) => {
      const read = wallClock(zone);
      const schedule = parseSchedule(`${minute} ${hour} * * *`, { zone, anchorMs: 0 });
      const fromMs = Date.parse(`${at}T00:00:00Z`) - 3 * DAY_MS;
      const days: string[] = [];
      for (let tickMs = schedule.nextAfter(fromMs); days.length < 6; tickMs = schedule.nextAfter(tickMs)) {
        const [day = '', time] = read(tickMs).split(' ');
        const wanted = `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
        // A tick at another time stands for one that the wall clock skipped on that day.
        for (let ms = tickMs - 2 * HOUR_MS; time !== wanted && ms <= tickMs; ms += MINUTE_MS) {
          assert.notEqual(read(ms), `${day} ${wanted}`);
        }
        days.push(day);
      }
      for (const [at, day] of days.entries()) {
        if (at > 0) assert.equal(Date.parse(day) - Date.parse(days[at - 1] ?? ''), DAY_MS, days.join(' '));
      }
    }),
  );
});

test('a cron job ticks at exactly the minutes that match on the wall clock, each once', () => {
  const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 3 });
  const hours = fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.constantFrom(...CLOCK_CHANGES), minutes, hours, ({ zone, at }, minutes, hours) => {
      const read = wallClock(zone);
      const fromMs = Date.parse(`${at}T00:00:00Z`) - 12 * HOUR_MS;
      const toMs = fromMs + 48 * HOUR_MS;
      const matches = (text: string): boolean =>
        hours.includes(Number(text.slice(11, 13))) && minutes.includes(Number(text.slice(14, 16)));
      const expected = new Map<string, number>();
      for (let ms = fromMs + MINUTE_MS; ms <= toMs; ms += MINUTE_MS) {
        const text = read(ms);
        if (matches(text) && !expected.has(text)) expected.set(text, ms);
      }
      const schedule = parseSchedule(`${minutes.join(',')} ${hours.join(',')} * * *`, { zone, anchorMs: 0 });
      const ticks = new Set<number>();
      for (let ms = schedule.nextAfter(fromMs); ms <= toMs; ms = schedule.nextAfter(ms)) ticks.add(ms);
      for (const [text, ms] of expected) assert.ok(ticks.has(ms), `${zone}: no tick at ${text}`);
      const usual = new Set(expected.values());
      for (const ms of ticks) {
        // A tick that does not match stands for a time which the clock change skipped: an hour earlier by the old offset.
        const isShifted = matches(
          read(ms - HOUR_MS).replace(/ (\d\d)/, (_, hour) => ` ${String((Number(hour) + 1) % 24).padStart(2, '0')}`),
        );
        assert.ok(usual.has(ms) || isShifted, `${zone}: unexpected tick at ${read(ms)}`);
      }
    }),
    { numRuns: 30 },
  );
});

test('a skipped time runs just after the change, a repeated one the first time only', () => {
  const skipped = parseSchedule('30 2 * * *', { zone: 'America/New_York', anchorMs: 0 });
  assert.equal(skipped.nextAfter(Date.parse('2026-03-08T05:00:00Z')), Date.parse('2026-03-08T07:30:00Z'));
  const repeated = parseSchedule('30 1 * * *', { zone: 'America/New_York', anchorMs: 0 });
  const first = Date.parse('2026-11-01T05:30:00Z');
  assert.equal(repeated.nextAfter(first - HOUR_MS), first);
  assert.equal(repeated.nextAfter(first), Date.parse('2026-11-02T06:30:00Z'));
});

test('parseSchedule() refuses what it cannot run', () => {
  const refused = [
    '',
    'every',
    'every 0s',
    'every 400d',
    'every 5 minutes',
    '* * * *',
    '61 * * * *',
    '* * * * * *',
    '0 0 30 2 *',
  ];
  for (const text of refused) assert.throws(() => parseSchedule(text, { anchorMs: 0 }), RangeError, text);
  assert.throws(() => parseSchedule('0 0 * * *', { zone: 'Mars/Olympus', anchorMs: 0 }), /zone Mars\/Olympus/);
});
