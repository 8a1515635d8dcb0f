import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyGoogleToken } from '../../../../../deploy/local/kafka/sasl/verify-google-token.ts';

const ACCOUNT = 'kafka-sink@laptop.iam.gserviceaccount.com';
const header = { typ: 'JWT', alg: 'GOOG_OAUTH2_TOKEN' };
const claims = { exp: 2_000.5, iss: 'Google', iat: 1_000, scope: 'kafka', sub: ACCOUNT };
const verify = verifyGoogleToken({
  verifyAccessToken: async (token, account) => token === `ya29.of ${account}`,
  now: () => 2_000_000,
});

function tokenOf(...parts: (object | string)[]): string {
  return parts
    .map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'))
    .join('.');
}

test('verifyGoogleToken() takes a token whose third part is the access token of the account in it', async () => {
  const found = await verify(tokenOf(header, claims, `ya29.of ${ACCOUNT}`));
  assert.deepEqual(found, { principal: ACCOUNT, expiresAtMs: 2_000_500 });
});

test('verifyGoogleToken() refuses every other token, and says nothing of what it holds', async () => {
  const good = `ya29.of ${ACCOUNT}`;
  const bad: [token: string, why: RegExp][] = [
    [tokenOf(header, claims), /2 parts/],
    [tokenOf(header, claims, good, 'x'), /4 parts/],
    [tokenOf('{"s3cret', claims, good), /header is no JSON$/],
    [tokenOf('null', claims, good), /header is no JSON object/],
    [tokenOf({ ...header, alg: 'none' }, claims, good), /algorithm/],
    [tokenOf(header, { ...claims, sub: '' }, good), /no sub/],
    [tokenOf(header, { ...claims, scope: 'storage' }, good), /scope/],
    [tokenOf(header, { ...claims, exp: '2000' }, good), /no exp/],
    [tokenOf(header, { ...claims, exp: 2_000 }, good), /expired at 1970-01-01T00:33:20/],
    [tokenOf(header, claims, 'ya29.s3cret'), /not one of kafka-sink/],
  ];
  for (const [token, why] of bad) {
    await assert.rejects(
      async () => verify(token),
      (error: Error) => {
        assert.match(error.message, why);
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      },
    );
  }
});
