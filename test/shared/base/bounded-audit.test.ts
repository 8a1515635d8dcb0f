import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findAuditGaps } from '../../../shared/base/audit-chain.ts';
import { boundedAudit, type FrequentEntry } from '../../../shared/base/bounded-audit.ts';
import { jsonLog } from '../../../shared/base/log.ts';

const WINDOW_MS = 60_000;
const LINES = 3;

interface Line {
  readonly identity: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly count?: number;
  readonly reasons?: Readonly<Record<string, number>>;
  readonly since?: string;
}

/** A log of two outcomes and some reasons, whose time a test turns. */
function openLog() {
  const lines: Line[] = [];
  const log = jsonLog('test', (line) => lines.push(JSON.parse(line)));
  let nowMs = 0;
  const due: { readonly atMs: number; readonly run: () => void }[] = [];
  const about = { action: 'door.enter', resource: 'Function/test', details: { door: 'test' } };
  const bounded = boundedAudit(log, about, {
    linesPerReason: LINES,
    windowMs: WINDOW_MS,
    clock: () => nowMs,
    later: (delayMs, run) => void due.push({ atMs: nowMs + delayMs, run }),
  });
  return {
    lines,
    flush: bounded.flush,
    note: (reason: string, outcome: FrequentEntry['outcome'] = 'refused') =>
      bounded.note({ ...about, identity: 'eve', outcome, reason }),
    turn(ms: number) {
      nowMs += ms;
      for (const { run } of due.splice(0, due.findLastIndex(({ atMs }) => atMs <= nowMs) + 1)) run();
    },
    waitingCount: () => due.length,
  };
}

test('boundedAudit() writes the first lines of each reason, and counts the others when the window ends', () => {
  const { lines, note, turn } = openLog();
  for (let at = 0; at < 5; at += 1) note('expired');
  note('no bearer token');
  assert.deepEqual(
    lines.map(({ reason }) => reason),
    ['expired', 'expired', 'expired', 'no bearer token'],
    'one kind of noise hides no other',
  );
  turn(WINDOW_MS - 1);
  assert.equal(lines.length, 4);
  turn(1);
  const { identity, outcome, count, reasons, since } = lines[4] ?? {};
  assert.deepEqual(
    { identity, outcome, count, reasons, since },
    {
      identity: 'various',
      outcome: 'refused',
      count: 2,
      reasons: { expired: 2 },
      since: '1970-01-01T00:00:00.000Z',
    },
  );
  note('expired');
  assert.deepEqual([lines.length, lines[5]?.reason], [6, 'expired'], 'another window has lines of its own');
});

test('boundedAudit() counts each outcome by itself, and nothing where nothing is left to count', () => {
  const { lines, note, flush } = openLog();
  for (let at = 0; at < LINES + 1; at += 1) {
    note('expired');
    note('issuer not reached', 'failed');
  }
  flush();
  flush();
  assert.deepEqual(
    lines.slice(2 * LINES).map(({ outcome, reasons }) => [outcome, reasons]),
    [
      ['refused', { expired: 1 }],
      ['failed', { 'issuer not reached': 1 }],
    ],
  );
  note('expired');
  flush();
  assert.equal(lines.length, 2 * LINES + 3);
});

test('boundedAudit() leaves nothing uncounted, and no more lines than a window has, whatever comes when', () => {
  const step = fc.oneof(
    fc.record({ reason: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ ms: fc.integer({ min: 0, max: 2 * WINDOW_MS }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { lines, note, turn, flush, waitingCount } = openLog();
      const noted: Record<string, number> = {};
      for (const one of steps) {
        if ('ms' in one) turn(one.ms);
        else {
          note(one.reason);
          noted[one.reason] = (noted[one.reason] ?? 0) + 1;
        }
        assert.ok(waitingCount() <= 1, 'one timer');
      }
      flush();
      const found: Record<string, number> = {};
      let windows = 1;
      for (const { reason, reasons = {} } of lines) {
        if (reason === undefined) windows += 1;
        const told = reason === undefined ? reasons : { [reason]: 1 };
        for (const [name, count] of Object.entries(told)) found[name] = (found[name] ?? 0) + count;
      }
      assert.deepEqual(found, noted);
      assert.deepEqual(findAuditGaps(lines.map((line) => ({ ...line }))), []);
      // A window in which little came has no counting line, and no more lines than came.
      const turned = steps.filter((one) => 'ms' in one).length;
      assert.ok(lines.length <= (windows + turned) * (3 * LINES + 1));
    }),
  );
});
