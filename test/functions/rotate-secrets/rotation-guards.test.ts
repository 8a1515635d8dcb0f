import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { localProject } from '../../../deploy/local/project.ts';
import { rotateSecret } from '../../../functions/rotate-secrets/rotate-secret.ts';
import { hmacKey } from '../../../functions/rotate-secrets/strategies/hmac-key.ts';
import {
  openSecretVault,
  SecretChangedError,
  type SecretVault,
} from '../../../shared/adapters/secrets/secret-vault.ts';
import {
  openRotationStore,
  RotationLeasedError,
  RotationLostError,
} from '../../../shared/adapters/spanner/rotations/rotation-store.ts';
import { openRotationStage, type RotationStage } from './rotation-stage.ts';

const LEASE_MS = 60_000;
const times = { overlapMs: 3_600_000, waitForUsersMs: 0, destroyAfterMs: 3_600_000 };
let stage: RotationStage;
let vault: SecretVault;
before(async () => {
  stage = await openRotationStage();
  vault = openSecretVault(localProject);
});
after(async () => {
  await vault.close();
  await stage[Symbol.asyncDispose]();
});

const storeOf = (owner: string) =>
  openRotationStore(stage.database, { owner, leaseMs: LEASE_MS, clock: () => stage.nowMs });

const ask = (secret: string, id: string) => ({ secret, id, kind: 'rotate' as const, now: false });

function toolsOf(owner: string, through: SecretVault = vault) {
  const strategy = hmacKey();
  const usersOf = async () => [];
  return {
    store: storeOf(owner),
    vault: through,
    strategy,
    times,
    clock: () => stage.nowMs,
    onEffect: () => {},
    usersOf,
  };
}

/** A secret whose first version is current, with another version that a person may choose. */
async function addKey(name: string): Promise<void> {
  await stage.addSecret(name, JSON.stringify({ id: 'first', key: Buffer.alloc(32, 1).toString('base64') }));
  await vault.add(name, Buffer.from(JSON.stringify({ id: 'chosen', key: Buffer.alloc(32, 2).toString('base64') })));
}

test('a rotation whose look at the secret is out of date moves no alias, and leaves what a person chose meanwhile', async () => {
  await addKey('raced');
  let hasMoved = false;
  const raced: SecretVault = {
    ...vault,
    async alias(secret, aliases, etag) {
      // Between the look and the move, as late as can be.
      if (aliases.current === 3 && !hasMoved) {
        hasMoved = true;
        const seen = await vault.look(secret);
        await vault.alias(secret, { ...seen.aliases, current: 2 }, seen.etag);
      }
      await vault.alias(secret, aliases, etag);
    },
  };
  const { rotation } = await rotateSecret(ask('raced', 'one'), 'test', toolsOf('a', raced));
  assert.ok(hasMoved);
  assert.equal(rotation.step, 'failed');
  assert.match(rotation.reason ?? '', /current was moved from version 1 to 2 by another/);
  const { aliases, versions } = await vault.look('raced');
  assert.deepEqual(aliases, { current: 2 });
  assert.deepEqual(versions.map(({ number, state }) => [number, state]).sort(), [
    [1, 'enabled'],
    [2, 'enabled'],
    [3, 'destroyed'],
  ]);
});

test('openSecretVault() moves aliases under the etag that was seen alone', async () => {
  await addKey('tagged');
  const { etag, aliases } = await vault.look('tagged');
  await vault.alias('tagged', { ...aliases, previous: 2 }, etag);
  await assert.rejects(vault.alias('tagged', { ...aliases, previous: 1 }, etag), SecretChangedError);
  assert.deepEqual((await vault.look('tagged')).aliases, { current: 1, previous: 2 });
});

test('openRotationStore() lets one act at a time, and who was overtaken writes nothing', async () => {
  await addKey('leased');
  const { rotation } = await rotateSecret(ask('leased', 'one'), 'test', toolsOf('a'));
  const first = await storeOf('a').take('leased', rotation.id);
  await assert.rejects(storeOf('b').take('leased', rotation.id), RotationLeasedError);
  stage.nowMs += LEASE_MS;
  const second = await storeOf('b').take('leased', rotation.id);
  await assert.rejects(storeOf('a').save(first, { ...first.rotation, step: 'closed' }), RotationLostError);
  // Neither does it let go of what is another's by now.
  await storeOf('a').release(first);
  await assert.rejects(storeOf('c').take('leased', rotation.id), RotationLeasedError);
  await storeOf('b').save(second, { ...second.rotation, reason: 'by the second' });
  assert.equal((await storeOf('b').list('leased'))[0]?.reason, 'by the second');
  await storeOf('b').release(second);
});

test('a flood of requests is one rotation, and no more rows than a table can bear', async () => {
  await addKey('flooded');
  const flood = await Promise.allSettled(
    Array.from({ length: 40 }, (_, at) => rotateSecret(ask('flooded', `at-once-${at}`), 'test', toolsOf(`f${at}`))),
  );
  const began = flood.filter(({ status }) => status === 'fulfilled');
  assert.ok(began.length >= 1);
  for (const one of flood)
    if (one.status === 'rejected') assert.ok(one.reason instanceof RotationLeasedError, one.reason);
  for (let at = 0; at < 30; at++) await rotateSecret(ask('flooded', `later-${at}`), 'test', toolsOf('later'));
  const { aliases, versions } = await vault.look('flooded');
  assert.deepEqual(aliases, { current: 3, previous: 1 });
  assert.equal(versions.length, 3);
  const known = await storeOf('a').list('flooded');
  assert.equal(known.filter(({ step }) => step !== 'skipped').length, 1);
  // Twenty before the version was made, twenty since.
  assert.ok(known.length <= 41, `${known.length} rows`);
});
