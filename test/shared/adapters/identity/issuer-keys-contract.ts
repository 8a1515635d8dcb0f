import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JWTVerifyGetKey, jwtVerify } from 'jose';
import { failing, hostile, makeKey, openIssuer, serving } from './open-issuer.ts';

/** One side's way of holding the keys of an issuer. */
export interface KeysUnderTest {
  readonly issuerKeys: (issuer: string, clock: () => number) => JWTVerifyGetKey;
  /** After an attempt that failed, none is made for so long. */
  readonly cooldownMs: number;
  /** What is thrown when there are no keys. @returns why */
  readonly unavailable: (error: unknown) => string;
}

/** The functions' doors and the trainer's share no code, and must withstand the same. */
export function issuerKeysContract({ issuerKeys, cooldownMs, unavailable }: KeysUnderTest): void {
  const isUnavailable = async (verified: Promise<unknown>): Promise<string> => {
    const error = await verified.then(
      () => assert.fail('There were keys'),
      (reason: unknown) => reason,
    );
    return unavailable(error);
  };

  test('issuerKeys() fetches once for many callers, and again for a key that it does not know, at most every ten seconds', async (context) => {
    const first = await makeKey('first');
    const second = await makeKey('second');
    const third = await makeKey('third');
    const { issuer, state } = await openIssuer(context, serving(first.jwk));
    let nowMs = 0;
    const keys = issuerKeys(issuer, () => nowMs);
    await Promise.all(Array.from({ length: 20 }, () => jwtVerify(first.token, keys)));
    assert.equal(state.keyFetches, 1);

    state.keys = serving(second.jwk, first.jwk);
    await Promise.all(Array.from({ length: 20 }, () => jwtVerify(second.token, keys)));
    assert.equal(state.keyFetches, 2);

    for (let stranger = 0; stranger < 20; stranger++) await assert.rejects(jwtVerify(third.token, keys));
    assert.equal(state.keyFetches, 2);
    state.keys = serving(third.jwk);
    nowMs += 10_000;
    await jwtVerify(third.token, keys);
    assert.equal(state.keyFetches, 3);
  });

  test('issuerKeys() forgets a key that its issuer withdrew, after ten minutes', async (context) => {
    const old = await makeKey('old');
    const fresh = await makeKey('fresh');
    const { issuer, state } = await openIssuer(context, serving(old.jwk));
    let nowMs = 0;
    const keys = issuerKeys(issuer, () => nowMs);
    await jwtVerify(old.token, keys);
    state.keys = serving(fresh.jwk);
    nowMs += 599_000;
    await jwtVerify(old.token, keys);
    nowMs += 1_000;
    await assert.rejects(jwtVerify(old.token, keys));
  });

  test('issuerKeys() goes on with the last keys for an hour while its issuer is down, asking at most once a cool-down', async (context) => {
    const { token, jwk } = await makeKey('k');
    const stranger = await makeKey('stranger');
    const { issuer, state } = await openIssuer(context, serving(jwk));
    let nowMs = 0;
    const keys = issuerKeys(issuer, () => nowMs);
    await jwtVerify(token, keys);
    state.keys = failing;
    nowMs = 600_000;
    for (let call = 0; call < 5; call++) {
      await jwtVerify(token, keys);
      await assert.rejects(jwtVerify(stranger.token, keys), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
    }
    assert.equal(state.keyFetches, 2);
    nowMs = 600_000 + cooldownMs;
    await jwtVerify(token, keys);
    assert.equal(state.keyFetches, 3);
    nowMs = 3_600_000;
    await isUnavailable(jwtVerify(token, keys));
    state.keys = serving(jwk);
    nowMs = 3_600_000 + cooldownMs;
    await jwtVerify(token, keys);
  });

  for (const [what, answer] of Object.entries(hostile)) {
    test(`issuerKeys() refuses a key set that is ${what}, and keeps the keys that it has`, async (context) => {
      const { token, jwk } = await makeKey('k');
      const { issuer, state } = await openIssuer(context, answer(jwk));
      await isUnavailable(jwtVerify(token, issuerKeys(issuer, Date.now)));

      let nowMs = 0;
      const keys = issuerKeys(issuer, () => nowMs);
      state.keys = serving(jwk);
      await jwtVerify(token, keys);
      state.keys = answer(jwk);
      nowMs = 700_000;
      await jwtVerify(token, keys);
      assert.ok(state.keyFetches >= 3);
    });
  }

  test('issuerKeys() takes no key that is weak, huge, secret, or for encryption', async (context) => {
    const { token, jwk } = await makeKey('k');
    const odd = [
      { ...jwk, use: 'enc' },
      { ...jwk, n: jwk.n?.slice(0, 150) ?? '' },
      { ...jwk, n: Buffer.alloc(2_048, 0xff).toString('base64url') },
      { ...jwk, e: Buffer.alloc(256, 0xff).toString('base64url') },
      { kty: 'oct', k: 'AAAA', kid: 'k' },
    ];
    for (const key of odd) {
      const { issuer } = await openIssuer(context, serving(key));
      await assert.rejects(jwtVerify(token, issuerKeys(issuer, Date.now)), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
    }
  });

  test('issuerKeys() refuses a discovery document of another issuer, and keys over plain HTTP', async (context) => {
    const { token, jwk } = await makeKey('k');
    const { issuer, state } = await openIssuer(context, serving(jwk));
    const describing = (document: (issuer: string) => object): void => {
      state.discovery = (response, own) => response.end(JSON.stringify(document(own)));
    };
    const refused = async (reason: RegExp): Promise<void> => {
      assert.match(await isUnavailable(jwtVerify(token, issuerKeys(issuer, Date.now))), reason);
    };
    describing((own) => ({ issuer: `${own}/other`, jwks_uri: `${own}/jwks` }));
    await refused(/describe/);
    describing((own) => ({ issuer: own, jwks_uri: 'http://keys.example/jwks' }));
    await refused(/HTTPS/);
    describing((own) => ({ issuer: own, jwks_uri: 'file:///etc/passwd' }));
    await refused(/HTTPS/);
    describing((own) => ({ issuer: own, jwks_uri: 7 }));
    await refused(/jwks_uri/);
    assert.equal(state.keyFetches, 0);
  });
}
