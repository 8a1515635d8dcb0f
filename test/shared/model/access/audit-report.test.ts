import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesWithin, reportReviewed, reportUses } from '../../../../shared/model/access/audit-report.ts';

const line = (time: string, action: string, more: object = {}) => ({
  time,
  action,
  identity: 'reader@p',
  resource: 'Flights',
  outcome: 'done',
  ...more,
});

test('linesWithin() takes what is from the begin on and before the end', () => {
  const lines = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z', 'never'].map((time) =>
    line(time, 'spanner.read'),
  );
  const period = { fromMs: Date.parse('2026-01-02'), toMs: Date.parse('2026-01-03') };
  assert.deepEqual(linesWithin(lines, period), [lines[1]]);
});

test('reportUses() counts who did what to what, by how it came out, and sums the rows', () => {
  const uses = reportUses([
    line('2026-01-02T00:00:00Z', 'spanner.read', { rows: 5 }),
    line('2026-01-01T00:00:00Z', 'spanner.read', { rows: 7 }),
    line('2026-01-01T00:00:01Z', 'spanner.read', { outcome: 'refused' }),
    line('2026-01-01T00:00:02Z', 'access.decide', { identity: 'anna@p' }),
  ]);
  assert.deepEqual(
    uses.map(({ identity, action, outcome, count, rows, first, last }) => [
      identity,
      action,
      outcome,
      count,
      rows,
      first.slice(0, 10),
      last.slice(0, 10),
    ]),
    [
      ['anna@p', 'access.decide', 'done', 1, undefined, '2026-01-01', '2026-01-01'],
      ['reader@p', 'spanner.read', 'done', 2, 12, '2026-01-01', '2026-01-02'],
      ['reader@p', 'spanner.read', 'refused', 1, undefined, '2026-01-01', '2026-01-01'],
    ],
  );
});

test('reportUses() counts what a line stands for, where it says so', () => {
  const refused = { identity: 'various', outcome: 'refused' };
  const [use] = reportUses([
    line('2026-01-01T00:00:00Z', 'door.enter', { ...refused, count: 4_990 }),
    line('2026-01-01T00:01:00Z', 'door.enter', { ...refused, count: 10 }),
    line('2026-01-01T00:02:00Z', 'door.enter', { ...refused, count: 'many' }),
  ]);
  assert.deepEqual([use?.count, use?.last], [5_001, '2026-01-01T00:02:00Z']);
});

test('reportReviewed() tells who asked, who decided and what became of it, in order of time', () => {
  const of = { approval: 'a1', asked: 'redrive', requestedBy: 'anna@p' };
  const [change, ...others] = reportReviewed([
    line('2026-01-01T00:00:03Z', 'approval.finish', { ...of, decidedBy: 'bert@p', outcome: 'failed' }),
    line('2026-01-01T00:00:01Z', 'approval.request', of),
    line('2026-01-01T00:00:02Z', 'approval.approve', { ...of, decidedBy: 'bert@p' }),
    line('2026-01-01T00:00:04Z', 'secret.read'),
  ]);
  assert.deepEqual(others, []);
  assert.deepEqual([change?.requestedBy, change?.decidedBy], ['anna@p', 'bert@p']);
  assert.deepEqual(
    change?.steps.map(({ step, outcome }) => [step, outcome]),
    [
      ['request', 'done'],
      ['approve', 'done'],
      ['finish', 'failed'],
    ],
  );
});
