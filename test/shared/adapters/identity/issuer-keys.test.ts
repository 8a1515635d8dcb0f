import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose';
import { fetchDocument } from '../../../../shared/adapters/identity/fetch-document.ts';
import { IssuerUnavailableError, issuerKeys } from '../../../../shared/adapters/identity/issuer-keys.ts';

type Answer = (response: ServerResponse, issuer: string) => void;

/** An issuer that answers for its keys as a test wants it to. */
async function openIssuer(context: TestContext, keys: Answer) {
  const state = { keys, discovery: undefined as Answer | undefined, keyFetches: 0 };
  const server = createServer((request, response) => {
    if (request.url === '/jwks') {
      state.keyFetches += 1;
      return state.keys(response, issuer);
    }
    if (state.discovery) return state.discovery(response, issuer);
    return response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  return { issuer, state };
}

async function makeKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const token = await new SignJWT({ sub: '1' }).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
  return { token, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}

const serving =
  (...keys: readonly JWK[]): Answer =>
  (response) =>
    response.end(JSON.stringify({ keys }));

const failing: Answer = (response) => response.writeHead(500).end();

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

test('issuerKeys() goes on with the last keys for an hour while its issuer is down, asking every ten seconds', async (context) => {
  const { token, jwk } = await makeKey('k');
  const { issuer, state } = await openIssuer(context, serving(jwk));
  let nowMs = 0;
  const keys = issuerKeys(issuer, () => nowMs);
  await jwtVerify(token, keys);
  state.keys = failing;
  nowMs = 600_000;
  for (let call = 0; call < 5; call++) await jwtVerify(token, keys);
  assert.equal(state.keyFetches, 2);
  nowMs = 610_000;
  await jwtVerify(token, keys);
  assert.equal(state.keyFetches, 3);
  nowMs = 3_600_000;
  await assert.rejects(jwtVerify(token, keys), IssuerUnavailableError);
  state.keys = serving(jwk);
  nowMs = 3_610_000;
  await jwtVerify(token, keys);
});

const large = Buffer.alloc(64 * 1024, 0x20);
const hostile: Readonly<Record<string, (jwk: JWK) => Answer>> = {
  'ten thousand keys': () => serving(...Array.from({ length: 10_000 }, (_, at) => ({ kty: 'oct', kid: String(at) }))),
  'a hundred and one keys': (jwk) => serving(...Array.from({ length: 100 }, () => ({ kty: 'RSA' })), jwk),
  'a body without an end': () => (response) => {
    const more = (): void => void (response.destroyed || response.write(large, more));
    more();
  },
  'a redirect': () => (response) => response.writeHead(302, { location: '/jwks' }).end(),
  'no JSON': () => (response) => response.end('<html>'),
  'no keys': () => (response) => response.end('{}'),
  'an error': () => failing,
};
for (const [what, answer] of Object.entries(hostile)) {
  test(`issuerKeys() refuses a key set that is ${what}, and keeps the keys that it has`, async (context) => {
    const { token, jwk } = await makeKey('k');
    const { issuer, state } = await openIssuer(context, answer(jwk));
    await assert.rejects(jwtVerify(token, issuerKeys(issuer)), IssuerUnavailableError);

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
    await assert.rejects(jwtVerify(token, issuerKeys(issuer)), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
  }
});

test('issuerKeys() refuses a discovery document of another issuer, and keys over plain HTTP', async (context) => {
  const { token, jwk } = await makeKey('k');
  const { issuer, state } = await openIssuer(context, serving(jwk));
  const describing = (document: (issuer: string) => object): void => {
    state.discovery = (response, own) => response.end(JSON.stringify(document(own)));
  };
  const refused = (reason: RegExp) =>
    assert.rejects(jwtVerify(token, issuerKeys(issuer)), (error) => {
      assert.ok(error instanceof IssuerUnavailableError);
      assert.match(String(error.cause), reason);
      return true;
    });
  describing((own) => ({ issuer: `${own}/other`, jwks_uri: `${own}/jwks` }));
  await refused(/does not describe/);
  describing((own) => ({ issuer: own, jwks_uri: 'http://keys.example/jwks' }));
  await refused(/is not HTTPS/);
  describing((own) => ({ issuer: own, jwks_uri: 'file:///etc/passwd' }));
  await refused(/is not HTTPS/);
  describing((own) => ({ issuer: own, jwks_uri: 7 }));
  await refused(/names no jwks_uri/);
  assert.equal(state.keyFetches, 0);
});

test('fetchDocument() gives up on an answer that never comes, and on one that trickles', async (context) => {
  const answers: Answer[] = [() => {}, (response) => response.write('{"keys":[')];
  for (const answer of answers) {
    const { issuer } = await openIssuer(context, answer);
    await assert.rejects(fetchDocument(`${issuer}/jwks`, { maxBytes: 1_000, timeoutMs: 50 }), { name: 'TimeoutError' });
  }
});
