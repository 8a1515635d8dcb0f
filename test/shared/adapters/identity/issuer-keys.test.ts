import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchDocument } from '../../../../shared/adapters/identity/fetch-document.ts';
import { IssuerUnavailableError, issuerKeys } from '../../../../shared/adapters/identity/issuer-keys.ts';
import { issuerKeysContract } from './issuer-keys-contract.ts';
import { type Answer, openIssuer } from './open-issuer.ts';

issuerKeysContract({
  issuerKeys,
  cooldownMs: 10_000,
  unavailable(error) {
    assert.ok(error instanceof IssuerUnavailableError, String(error));
    return String(error.cause);
  },
});

test('fetchDocument() gives up on an answer that never comes, and on one that trickles', {
  timeout: 60_000,
}, async (context) => {
  const answers: Answer[] = [() => {}, (response) => response.write('{"keys":[')];
  for (const answer of answers) {
    const { issuer } = await openIssuer(context, answer);
    await assert.rejects(fetchDocument(`${issuer}/jwks`, { maxBytes: 1_000, timeoutMs: 50 }), { name: 'TimeoutError' });
  }
});
