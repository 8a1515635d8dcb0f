import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { openAccessTokens } from '../../../../shared/adapters/identity/access-tokens.ts';

const account = 'sink@p.iam.gserviceaccount.com';

test('openAccessTokens() gives the token in hand, a new one when it was refused, and one before its end', async (t) => {
  const identity = await openIdentityServer();
  t.after(() => identity.close());
  const { host } = await identity.openMetadataServer(account);
  process.env.GCE_METADATA_HOST = host;
  process.env.METADATA_SERVER_DETECTION = 'assume-present';
  let now = Date.now();
  const token = openAccessTokens(() => now);
  const [first, same] = await Promise.all([token(false), token(false)]);
  assert.match(first.value, /^ya29\./);
  assert.equal(first.principal, account);
  assert.ok(first.expiresAtMs > now + 3_000_000);
  assert.equal(same.value, first.value);
  assert.equal((await token(false)).value, first.value);
  const refused = await token(true);
  assert.notEqual(refused.value, first.value);
  assert.equal((await token(false)).value, refused.value);
  now = refused.expiresAtMs - 299_999;
  assert.notEqual((await token(false)).value, refused.value);
});
