import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwtVerify } from 'jose';
import { issuerKeys } from '../../../../deploy/local/trainer/issuer-keys.ts';
import { Problem } from '../../../../deploy/local/trainer/problem.ts';
import { issuerKeysContract } from '../../../shared/adapters/identity/issuer-keys-contract.ts';
import { type Answer, makeKey, openIssuer } from '../../../shared/adapters/identity/open-issuer.ts';

issuerKeysContract({
  issuerKeys,
  cooldownMs: 1_000,
  unavailable(error) {
    assert.ok(error instanceof Problem, String(error));
    assert.deepEqual([error.status, error.headers['retry-after']], [503, '1']);
    return error.message;
  },
});

test('issuerKeys() gives up on keys that never come, and on keys that trickle', async (context) => {
  const { token } = await makeKey('k');
  const answers: Answer[] = [() => {}, (response) => response.write('{"keys":[')];
  for (const answer of answers) {
    const { issuer } = await openIssuer(context, answer);
    await assert.rejects(jwtVerify(token, issuerKeys(issuer, Date.now, 50)), (error) => {
      assert.ok(error instanceof Problem);
      assert.match(error.message, /timeout/);
      return error.status === 503;
    });
  }
});
