import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RotatorOptions } from '../../../functions/rotate-secrets/open-rotator.ts';
import { RotationLeasedError } from '../../../shared/adapters/spanner/rotations/rotation-store.ts';
import type { Log } from '../../../shared/base/log.ts';
import { kafkaSink, openRotationStage, type RotationStage } from './rotation-stage.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const { name } = kafkaSink;
let stage: RotationStage;

before(async () => {
  stage = await openRotationStage();
});
after(() => stage[Symbol.asyncDispose]());

const ask = (id: string, more: { kind?: 'back'; now?: boolean } = {}) => {
  return { secret: name, id, kind: 'rotate' as const, now: false, ...more };
};

/** Lets all overlaps and destructions pass. */
async function passOverlap(): Promise<void> {
  stage.nowMs += 2 * HOUR_MS;
  await stage.openRotator().tick('test');
}

test('a rotation gives the other user a new password, and the old one works on through the overlap', async () => {
  const { rotation } = await stage.openRotator().rotate(ask('one'), 'test');
  assert.equal(rotation.step, 'retire');
  assert.deepEqual(await stage.aliases(), { current: 2, previous: 1 });
  const current = await stage.value('current');
  assert.equal(current.username, 'sink-b');
  assert.match(current.password, /^[\w-]{43}$/);
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-a', 'sink-b']);
  assert.deepEqual(await stage.states(), ['ENABLED', 'ENABLED']);
});

test('the same id again changes nothing, and another within the overlap is skipped and says until when', async () => {
  const again = await stage.openRotator().rotate(ask('one'), 'test');
  assert.equal(again.rotation.toVersion, 2);
  const { rotation } = await stage.openRotator().rotate(ask('too-soon'), 'test');
  assert.equal(rotation.step, 'skipped');
  assert.match(rotation.reason ?? '', /the overlap of one lasts until 20\d\d-/);
  assert.deepEqual(await stage.states(), ['ENABLED', 'ENABLED']);
});

test('after the overlap the old user and version are gone; after its time, its value', async () => {
  await passOverlap();
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-b']);
  assert.deepEqual(await stage.states(), ['DISABLED', 'ENABLED']);
  stage.nowMs += 8 * DAY_MS;
  await stage.openRotator().tick('test');
  assert.deepEqual(await stage.states(), ['DESTROYED', 'ENABLED']);
  assert.deepEqual(await stage.aliases(), { current: 2, previous: 1 });
});

test('two at once are one rotation', async () => {
  const both = await Promise.allSettled(['x', 'y'].map((id) => stage.openRotator().rotate(ask(id), 'test')));
  const refused = both.filter((one) => one.status === 'rejected');
  for (const { reason } of refused) assert.ok(reason instanceof RotationLeasedError, String(reason));
  await stage.openRotator().rotate(ask('x'), 'test');
  await stage.openRotator().rotate(ask('y'), 'test');
  assert.deepEqual(await stage.aliases(), { current: 3, previous: 2 });
  assert.deepEqual(await stage.states(), ['DESTROYED', 'ENABLED', 'ENABLED']);
});

test('going back makes the version before current again, even after its user was taken away', async () => {
  await passOverlap();
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-a']);
  const { rotation } = await stage.openRotator().rotate(ask('back', { kind: 'back' }), 'test');
  assert.equal(rotation.step, 'retire', rotation.reason);
  assert.deepEqual(await stage.aliases(), { current: 2, previous: 3 });
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-a', 'sink-b']);
  await passOverlap();
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-b']);
  assert.deepEqual(await stage.states(), ['DESTROYED', 'ENABLED', 'DISABLED']);
});

test('a value in wrong hands ends at once', async () => {
  const { rotation } = await stage.openRotator().rotate(ask('leaked', { now: true }), 'test');
  assert.equal(rotation.step, 'destroy');
  assert.deepEqual(await stage.aliases(), { current: 4, previous: 2 });
  assert.deepEqual(await stage.scram.users(), ['admin', 'sink-a']);
});

test('a rotation that fails at any effect is gone on with by the next one that asks', async () => {
  for (let failing = 0; ; failing++) {
    await passOverlap();
    const before = await stage.aliases();
    let count = 0;
    const onEffect = (): void => {
      if (count++ === failing) throw new Error('the process dies here');
    };
    const id = `cut-${failing}`;
    const isWhole = await stage
      .openRotator({ onEffect })
      .rotate(ask(id), 'test')
      .then(
        () => true,
        () => false,
      );
    await stage.openRotator().rotate(ask(id), 'test');
    const { current = 0, ...others } = await stage.aliases();
    assert.deepEqual(others, { previous: before.current }, `cut at ${failing}`);
    const enabled = (await stage.states()).filter((state) => state === 'ENABLED');
    assert.equal(enabled.length, 2, `cut at ${failing}`);
    const values = [await stage.value('current'), await stage.value('previous')];
    assert.deepEqual(values.map(({ username }) => username).sort(), ['sink-a', 'sink-b']);
    assert.ok(current > (before.current ?? 0));
    if (isWhole) return;
  }
});

test('a tick begins what is due, once, and raises the alarm for what is overdue', async () => {
  await passOverlap();
  const { current = 0 } = await stage.aliases();
  const { alerts, log } = keepAlerts();
  stage.nowMs += 29 * DAY_MS;
  const [outcome] = await stage.openRotator({ log }).tick('test');
  assert.equal(outcome?.error, undefined);
  assert.equal((await stage.aliases()).current, current + 1);
  assert.deepEqual(alerts, []);
  const [again] = await stage.openRotator({ log }).tick('test');
  assert.deepEqual(again?.rotations, []);
});

/** A log that keeps what raises the alarm. */
function keepAlerts(): { readonly alerts: Readonly<Record<string, unknown>>[]; readonly log: Log } {
  const alerts: Readonly<Record<string, unknown>>[] = [];
  const log: Log = (severity, message, fields) => {
    if (severity === 'ALERT') alerts.push({ message, ...fields });
  };
  return { alerts, log };
}

test('the alarm of a rotation that is held up says at which step', async () => {
  stage.nowMs += 40 * DAY_MS;
  const onEffect: RotatorOptions['onEffect'] = ({ effect }) => {
    if (effect === 'set') throw new Error('the brokers are away');
  };
  const { alerts, log } = keepAlerts();
  const [outcome] = await stage.openRotator({ log, onEffect }).tick('test');
  assert.match(outcome?.error ?? '', /the brokers are away/);
  const [alert] = alerts.filter((one) => one.alert === 'rotation-failed');
  assert.equal(alert?.step, 'set');
  assert.match(String(alert?.message), /was not rotated at step set: the brokers are away/);
  const [next] = await stage.openRotator({ log }).tick('test');
  assert.equal(next?.rotations[0]?.id, alert?.rotation);
});

test('a password that the brokers do not take leaves current as it was, cleans up, and says so', async () => {
  stage.nowMs += 40 * DAY_MS;
  await stage.openRotator().tick('test');
  await passOverlap();
  const before = await stage.aliases();
  const users = await stage.scram.users();
  const { alerts, log } = keepAlerts();
  stage.nowMs += 28 * DAY_MS;
  const [outcome] = await stage.openRotator({ declaration: stage.refusing, log }).tick('test');
  const rotation = outcome?.rotations.at(-1);
  assert.ok(rotation);
  assert.equal(rotation.step, 'failed');
  assert.match(rotation.reason ?? '', /cannot log in with the new password/);
  assert.deepEqual([rotation.failedStep, alerts[0]?.step], ['test', 'test']);
  const stored = (await stage.openRotator().look(name)).rotations.find(({ id }) => id === rotation.id);
  assert.equal(stored?.failedStep, 'test');
  const { current, previous } = await stage.aliases();
  assert.deepEqual({ current, previous }, { current: before.current, previous: before.previous });
  assert.deepEqual(await stage.scram.users(), users);
  assert.equal((await stage.states()).at(-1), 'DESTROYED');
});

test('a clean-up that is held up leaves the reason why the rotation failed', async () => {
  stage.nowMs += 28 * DAY_MS;
  const declaration = stage.refusing;
  const onEffect: RotatorOptions['onEffect'] = ({ rotation, effect }) => {
    if (rotation.step === 'clean-up' && effect === 'revoke') throw new Error('the brokers are away');
  };
  const [held] = await stage.openRotator({ declaration, onEffect }).tick('test');
  assert.match(held?.error ?? '', /the brokers are away/);
  const [outcome] = await stage.openRotator({ declaration }).tick('test');
  const failed = outcome?.rotations[0];
  assert.deepEqual([failed?.step, failed?.failedStep], ['failed', 'test']);
  assert.match(failed?.reason ?? '', /cannot log in with the new password/);
});
