import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { silentMs } from '../../../../shared/model/rotation/last-users.ts';
import { rotationSteps } from '../../../../shared/model/rotation/rotation.ts';
import { type RotationRecord, standingOfSecret } from '../../../../shared/model/rotation/secret-standing.ts';

const NOW = Date.UTC(2026, 10, 21);
const HOUR = 3_600_000;
const every = { everyMs: 24 * HOUR };

function rotation(agoMs: number, parts: Partial<RotationRecord> = {}): RotationRecord {
  return {
    id: `r${agoMs}`,
    kind: 'rotate',
    step: 'closed',
    fromVersion: 1,
    toVersion: 2,
    startedAtMs: NOW - agoMs,
    updatedAtMs: NOW - agoMs + 2_000,
    finishedAtMs: NOW - agoMs + 1_000,
    reason: undefined,
    retireAtMs: undefined,
    destroyAtMs: undefined,
    failedStep: undefined,
    ...parts,
  };
}

const failed = { step: 'failed', finishedAtMs: undefined, toVersion: undefined, reason: 'refused' } as const;

test('standingOfSecret() tells the version in use, its age and the next rotation by the newest that finished', () => {
  const standing = standingOfSecret(
    every,
    [rotation(2 * HOUR, { fromVersion: 2, toVersion: 3 }), rotation(30 * HOUR)],
    [],
    NOW,
  );
  assert.equal(standing.current, 3);
  assert.equal(standing.madeAtMs, NOW - 2 * HOUR);
  assert.equal(standing.nextAtMs, NOW + 22 * HOUR);
  assert.equal(standing.result, 'rotated');
  assert.equal(standing.isOverdue, false);
});

test('standingOfSecret() counts the age of a version that was gone back to from when it was made', () => {
  const back = rotation(HOUR, { kind: 'back', fromVersion: 3, toVersion: 2 });
  const known = [rotation(50 * HOUR), rotation(20 * HOUR, { fromVersion: 2, toVersion: 3 }), back];
  const standing = standingOfSecret(every, known, [], NOW);
  assert.equal(standing.current, 2);
  assert.equal(standing.madeAtMs, NOW - 50 * HOUR);
  assert.equal(standing.isOverdue, true);
});

test('standingOfSecret() shows a failure, and goes on counting the age of what is in use', () => {
  const standing = standingOfSecret(
    every,
    [rotation(25 * HOUR), rotation(HOUR, { ...failed, fromVersion: 2 })],
    [],
    NOW,
  );
  assert.equal(standing.result, 'failed');
  assert.equal(standing.last?.reason, 'refused');
  assert.equal(standing.current, 2);
  assert.equal(standing.isOverdue, false);
  const later = standingOfSecret(every, [rotation(27 * HOUR), rotation(HOUR, failed)], [], NOW);
  assert.equal(later.isOverdue, true);
});

test('standingOfSecret() tells how long the version before works, and when its value is gone', () => {
  const ends = { retireAtMs: NOW + HOUR, destroyAtMs: NOW + 9 * HOUR };
  const before = (step: RotationRecord['step']) =>
    standingOfSecret(every, [rotation(HOUR, { ...ends, step })], [], NOW).previous;
  assert.deepEqual(before('retire'), { version: 1, state: 'enabled', untilMs: NOW + HOUR });
  assert.deepEqual(before('destroy'), { version: 1, state: 'disabled', untilMs: NOW + 9 * HOUR });
  assert.deepEqual(before('closed'), { version: 1, state: 'destroyed', untilMs: undefined });
  assert.equal(standingOfSecret(every, [rotation(HOUR, { fromVersion: undefined })], [], NOW).previous, undefined);
});

test('standingOfSecret() goes on telling the newest failure when a later rotation has succeeded', () => {
  const known = [rotation(HOUR), rotation(2 * HOUR, { ...failed, failedStep: 'test' }), rotation(3 * HOUR, failed)];
  const { result, lastFailed } = standingOfSecret(every, known, [], NOW);
  assert.deepEqual([result, lastFailed?.id, lastFailed?.failedStep], ['rotated', `r${2 * HOUR}`, 'test']);
});

test('standingOfSecret() is held up where a step failed that is tried again', () => {
  const under = { step: 'test', finishedAtMs: undefined } as const;
  assert.equal(standingOfSecret(every, [rotation(1, under)], [], NOW).result, 'rotating');
  assert.equal(standingOfSecret(every, [rotation(1, { ...under, reason: 'away' })], [], NOW).result, 'held-up');
});

test('standingOfSecret() says nothing of a version that is older than the first rotation', () => {
  const before = { madeAtMs: undefined, nextAtMs: undefined, isOverdue: false };
  assert.deepEqual(standingOfSecret(every, [], [{ holder: 'a', version: 1, seenAtMs: NOW }], NOW), {
    ...before,
    current: undefined,
    previous: undefined,
    result: 'none',
    last: undefined,
    lastFailed: undefined,
    stillOld: [],
  });
  assert.equal(standingOfSecret(every, [rotation(HOUR, failed)], [], NOW).current, 1);
  assert.equal(standingOfSecret(every, [rotation(HOUR, failed)], [], NOW).madeAtMs, undefined);
});

test('standingOfSecret() names the living who go by another version, and no skipped rotation, in whatever order rows come', () => {
  const user = fc.record({
    holder: fc.string({ minLength: 1, maxLength: 5 }),
    version: fc.integer({ min: 1, max: 4 }),
    seenAtMs: fc.integer({ min: NOW - 2 * silentMs, max: NOW }),
  });
  const record = fc
    .record({
      agoMs: fc.integer({ min: 0, max: 100 * HOUR }),
      step: fc.constantFrom(...rotationSteps),
      toVersion: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      hasFinished: fc.boolean(),
    })
    .map(({ agoMs, step, toVersion, hasFinished }) =>
      rotation(agoMs, { step, toVersion, ...(hasFinished ? {} : { finishedAtMs: undefined }) }),
    );
  const records = fc.uniqueArray(record, { selector: ({ startedAtMs }) => startedAtMs, maxLength: 8 });
  fc.assert(
    fc.property(records, fc.array(user, { maxLength: 8 }), (known, users) => {
      const standing = standingOfSecret(every, known, users, NOW);
      assert.deepEqual(standingOfSecret(every, known.toReversed(), users, NOW), standing);
      assert.notEqual(standing.last?.step, 'skipped');
      const old = users.filter(
        ({ version, seenAtMs }) =>
          standing.current !== undefined && version !== standing.current && NOW - seenAtMs < silentMs,
      );
      assert.deepEqual(new Set(standing.stillOld), new Set(old));
    }),
  );
});
