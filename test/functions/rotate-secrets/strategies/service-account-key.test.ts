import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GoogleAuth, JWT } from 'google-auth-library';
import { StrategyRefusedError } from '../../../../functions/rotate-secrets/strategies/strategy.ts';
import { ServiceAccountKeyError } from '../../../../shared/adapters/identity/service-account-keys.ts';
import { type AccountKeysStage, openAccountKeys, rotatedAccount } from './account-keys.ts';

const dir = mkdtempSync(join(tmpdir(), 'penstock-account-keys-'));
let stage: AccountKeysStage;
before(async () => {
  stage = await openAccountKeys({ dir });
});
after(async () => {
  await stage.close();
  rmSync(dir, { recursive: true });
});

const idOf = (value: Buffer): string => JSON.parse(value.toString()).private_key_id;
const ids = async (): Promise<string[]> => (await stage.keys.list()).map(({ id }) => id).sort();
const emptied = async (): Promise<void> => {
  for (const id of await ids()) await stage.keys.change(id, 'delete');
};

test('serviceAccountKey() makes the file that Google’s libraries read, good until the key is disabled', async () => {
  await emptied();
  const value = await stage.strategy().create(undefined);
  const client = new GoogleAuth().fromJSON(JSON.parse(value.toString()));
  assert.ok(client instanceof JWT);
  assert.equal(client.email, rotatedAccount);
  assert.equal(client.keyId, idOf(value));
  assert.ok(await stage.takes(value));
  await stage.strategy().revoke(value, undefined, 'disable');
  assert.ok(!(await stage.takes(value)));
});

test('serviceAccountKey() leaves no key behind that a crash kept from being recorded', async () => {
  await emptied();
  const strategy = stage.strategy();
  const first = await strategy.create(undefined);
  // Made, and the process died before the version was added; twice.
  await strategy.create(first);
  await strategy.create(first);
  const second = await strategy.create(first);
  assert.deepEqual(await ids(), [idOf(first), idOf(second)].sort());
  await strategy.set(second, first);
  await strategy.create(first).then((lost) => lost.fill(0));
  // That one took the second with it, as nobody had it recorded: setting it says so.
  await assert.rejects(strategy.set(second, first), StrategyRefusedError);
});

test('serviceAccountKey() ends what was overtaken when the old key goes, and what going back cannot reach', async () => {
  await emptied();
  const strategy = stage.strategy();
  const first = await strategy.create(undefined);
  const second = await strategy.create(first);
  await strategy.revoke(first, second, 'disable');
  assert.deepEqual(await ids(), [idOf(first), idOf(second)].sort(), 'going back can enable the first');
  await strategy.set(first, second);
  assert.ok(await stage.takes(first));
  await strategy.revoke(first, second, 'disable');
  const third = await strategy.create(second);
  const overtaken = await stage.keys.create();
  await strategy.revoke(second, third, 'disable');
  assert.deepEqual(await ids(), [idOf(second), idOf(third)].sort());
  assert.ok(!(await ids()).includes(idOf(overtaken)));
});

test('serviceAccountKey() deletes the key of a version that failed, and leaves keys that were there before', async () => {
  await emptied();
  const byHand = idOf(await stage.strategy().create(undefined));
  const strategy = stage.strategy();
  const first = await strategy.create(undefined);
  const failed = await strategy.create(first);
  await strategy.revoke(failed, first, 'destroy');
  await strategy.revoke(failed, first, 'destroy');
  assert.deepEqual(await ids(), [byHand, idOf(first)].sort());
});

test('the laptop’s IAM refuses strangers, an eleventh key, and keeps no private half', async () => {
  await emptied();
  const answer = await fetch(`${stage.issuer}/v1/projects/-/serviceAccounts/${rotatedAccount}/keys`);
  assert.equal(answer.status, 401);
  const ended = await stage.strategy().create(undefined);
  for (let made = 1; made < 10; made++) await stage.keys.create();
  await assert.rejects(stage.keys.create(), (error: unknown) => {
    assert.ok(error instanceof ServiceAccountKeyError);
    assert.equal(error.status, 429);
    return true;
  });
  const kept = readFileSync(join(dir, 'service-account-keys.json'), 'utf8');
  assert.ok(kept.includes(idOf(ended)) && !kept.includes('PRIVATE'));
});
