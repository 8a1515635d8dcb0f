import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overduePeriods } from '../../../../shared/model/rotation/overdue-periods.ts';
import type { RotationRecord } from '../../../../shared/model/rotation/secret-standing.ts';

const DAY_MS = 86_400_000;

function rotation(
  day: number,
  fromVersion: number,
  toVersion: number,
  more: Partial<RotationRecord> = {},
): RotationRecord {
  return {
    id: `r${day}`,
    kind: 'rotate',
    step: 'closed',
    fromVersion,
    toVersion,
    startedAtMs: day * DAY_MS,
    updatedAtMs: day * DAY_MS,
    finishedAtMs: day * DAY_MS,
    reason: undefined,
    retireAtMs: undefined,
    destroyAtMs: undefined,
    failedStep: undefined,
    ...more,
  };
}

/** `[version, due day, day of replacement]` */
function late(known: readonly RotationRecord[], fromDay: number, toDay: number) {
  const period = { fromMs: fromDay * DAY_MS, toMs: toDay * DAY_MS };
  return overduePeriods(10 * DAY_MS, known, period).map(({ version, dueAtMs, replacedAtMs }) => [
    version,
    dueAtMs / DAY_MS,
    replacedAtMs === undefined ? undefined : replacedAtMs / DAY_MS,
  ]);
}

test('overduePeriods() names versions that were in use past their period within the time, and no others', () => {
  const known = [rotation(30, 3, 4), rotation(0, 1, 2), rotation(15, 2, 3), rotation(40, 4, 5)];
  assert.deepEqual(late(known, 0, 45), [
    [2, 10, 15],
    [3, 25, 30],
  ]);
  assert.deepEqual(late(known, 16, 24), []);
  assert.deepEqual(late(known, 0, 60), [
    [2, 10, 15],
    [3, 25, 30],
    [5, 50, undefined],
  ]);
});

test('overduePeriods() counts no rotation that had no effect, and a version that was gone back to from when it was made', () => {
  const failed = rotation(8, 2, 3, { step: 'failed', finishedAtMs: undefined });
  assert.deepEqual(late([rotation(0, 1, 2), failed], 0, 12), [[2, 10, undefined]]);
  const back = rotation(7, 3, 2, { kind: 'back' });
  assert.deepEqual(late([rotation(0, 1, 2), rotation(6, 2, 3), back], 0, 12), [[2, 10, undefined]]);
  assert.deepEqual(late([rotation(1, 2, 1, { kind: 'back' })], 0, 99), [], 'nobody wrote when version 1 was made');
});
