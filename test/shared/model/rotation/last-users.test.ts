import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lastUsers, type SecretUser, silentMs } from '../../../../shared/model/rotation/last-users.ts';
import { type Rotation, withoutWaiting } from '../../../../shared/model/rotation/rotation.ts';

const times = { overlapMs: 60_000, waitForUsersMs: 30_000, destroyAfterMs: 1 };
const finishedAtMs = 1_000_000;
const retireAtMs = finishedAtMs + times.overlapMs;
const rotation: Rotation = {
  secret: 's',
  id: 'i',
  kind: 'rotate',
  step: 'retire',
  isUnderWay: false,
  baseVersion: 1,
  fromVersion: 1,
  toVersion: 2,
  finishedAtMs,
  retireAtMs,
  destroyAtMs: retireAtMs + 1,
  reason: undefined,
  failedStep: undefined,
};
const user: fc.Arbitrary<SecretUser> = fc.record({
  holder: fc.string({ minLength: 1, maxLength: 8 }),
  version: fc.integer({ min: 1, max: 3 }),
  seenAtMs: fc.integer({ min: finishedAtMs - 2 * silentMs, max: finishedAtMs + 2 * silentMs }),
});
const moment = fc.integer({ min: retireAtMs, max: retireAtMs + 2 * silentMs });

test('lastUsers() waits for whoever lives and goes by the old version, and for nobody else, until the time is up', () => {
  fc.assert(
    fc.property(fc.array(user, { maxLength: 12 }), moment, (users, nowMs) => {
      const isUsed = users.some(({ version, seenAtMs }) => version === 1 && nowMs - seenAtMs < silentMs);
      const isPatient = nowMs < retireAtMs + times.waitForUsersMs;
      const { may } = lastUsers(rotation, users, { times, nowMs });
      assert.equal(may, isUsed ? (isPatient ? 'wait' : 'go-despite') : 'go');
    }),
  );
});

test('lastUsers() waits for nobody where the value is in wrong hands', () => {
  const users = [{ holder: 'sink', version: 1, seenAtMs: finishedAtMs }];
  const nowMs = finishedAtMs + 1;
  assert.deepEqual(lastUsers(withoutWaiting(rotation), users, { times, nowMs }), { may: 'go' });
});

test('lastUsers() names those who are waited for, a few of them', () => {
  const users = Array.from({ length: 7 }, (_, at) => ({ holder: `sink-${at}`, version: 1, seenAtMs: retireAtMs }));
  const waits = lastUsers(rotation, users, { times, nowMs: retireAtMs });
  assert.ok(waits.may === 'wait');
  assert.match(
    waits.reason,
    /version 1 is still used by sink-0, sink-1, sink-2, sink-3, sink-4 and 2 more; waits until/,
  );
  const goes = lastUsers(rotation, users, { times, nowMs: retireAtMs + times.waitForUsersMs });
  assert.ok(goes.may === 'go-despite');
  assert.deepEqual(goes.holders.length, 7);
});
