import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { openIdTokens } from '../../../../shared/adapters/identity/id-tokens.ts';

test("openIdTokens() fetches tokens of the process' own identity, and gives the same one until it nears its end", async () => {
  const account = 'reader@p.iam.gserviceaccount.com';
  const identity = await openIdentityServer();
  process.env.GCE_METADATA_HOST = (await identity.openMetadataServer(account)).host;
  try {
    const tokens = openIdTokens();
    const header = await tokens.authorization('https://trainer.example');
    const claims = decodeJwt(header.replace('Bearer ', ''));
    assert.equal(claims.aud, 'https://trainer.example');
    assert.equal(claims.email, account);
    assert.equal(await tokens.authorization('https://trainer.example'), header);
    assert.notEqual(await tokens.authorization('https://other.example'), header);
    assert.equal(await tokens.email(), account);
  } finally {
    await identity.close();
  }
});
