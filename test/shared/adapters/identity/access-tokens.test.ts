import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAccessTokens } from '../../../../shared/adapters/identity/access-tokens.ts';
import { openMetadataDoor } from './metadata-door.ts';

const account = 'sink@p.iam.gserviceaccount.com';

test('openAccessTokens() gives the token in hand, a new one when it was refused, and one before its end', async (context) => {
  const door = await openMetadataDoor(context, { account });
  // Google's library reckons with the process' own clock.
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const token = openAccessTokens();
  const [first, same] = await Promise.all([token(false), token(false)]);
  assert.match(first.value, /^ya29\./);
  assert.equal(first.principal, account);
  assert.ok(first.expiresAtMs > Date.now() + 3_000_000);
  assert.equal(same.value, first.value);
  assert.equal((await token(false)).value, first.value);
  const refused = await token(true);
  assert.notEqual(refused.value, first.value);
  assert.equal((await token(false)).value, refused.value);
  door.state = 'failing';
  context.mock.timers.setTime(refused.expiresAtMs - 299_999);
  assert.equal((await token(false)).value, refused.value);
  context.mock.timers.setTime(refused.expiresAtMs - 59_999);
  await assert.rejects(token(false), /shut/);
  door.state = 'open';
  assert.notEqual((await token(false)).value, refused.value);
});
