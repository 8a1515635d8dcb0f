import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { decodeJwt, exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import { IssuerUnavailableError } from '../../../../shared/adapters/identity/issuer-keys.ts';
import {
  type Authorization,
  ForbiddenError,
  tokenVerifier,
  UnauthenticatedError,
} from '../../../../shared/adapters/identity/verify-token.ts';
import { PenstockError } from '../../../../shared/base/errors.ts';
import { issuerOf } from '../../../../shared/model/identity/trusted-issuer.ts';

const CALLER = 'push@p.iam.gserviceaccount.com';
const AUDIENCE = 'https://sink.example';
let identity: IdentityServer;
before(async () => {
  identity = await openIdentityServer();
});
after(() => identity.close());

function verifier(overrides: { callers?: string[]; issuer?: string; clock?: () => number } = {}) {
  const { callers = [CALLER], issuer = identity.issuer, clock = Date.now } = overrides;
  return tokenVerifier({ issuers: [issuerOf(issuer)], audiences: [AUDIENCE], callers, clock });
}

async function refuses(authorization: Authorization, message: RegExp): Promise<void> {
  await assert.rejects(verifier()(authorization), (error) => {
    assert.ok(error instanceof UnauthenticatedError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

test("tokenVerifier() takes the issuer's token for its audience and names the caller", async () => {
  const caller = await verifier()(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`);
  assert.equal(caller.email, CALLER);
  assert.equal(caller.issuer, identity.issuer);
});

test('tokenVerifier() names a token by what tells neither the token nor another one with its claims', async () => {
  const token = await identity.mintIdToken(CALLER, AUDIENCE);
  const other = await identity.mintIdToken(CALLER, AUDIENCE, { nonce: '2' });
  const [once, again, others] = await Promise.all([token, token, other].map((one) => verifier()(`Bearer ${one}`)));
  assert.match(once?.tokenId ?? '', /^[\w-]{16}$/);
  assert.equal(again?.tokenId, once?.tokenId);
  assert.notEqual(others?.tokenId, once?.tokenId);
  assert.ok(!token.includes(once?.tokenId ?? ''));
});

test('tokenVerifier() refuses a missing and a malformed header', async () => {
  await refuses(undefined, /no bearer token/);
  await refuses('Basic abc', /no bearer token/);
  await refuses('Bearer', /no bearer token/);
  await refuses('Bearer not.a.token', /was refused/);
});

test('tokenVerifier() refuses a token for another audience', async () => {
  await refuses(`Bearer ${await identity.mintIdToken(CALLER, 'https://other.example')}`, /"aud"/);
});

test('tokenVerifier() refuses an expired token', async () => {
  const past = Math.floor(Date.now() / 1000) - 3_600;
  await refuses(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE, { exp: past })}`, /"exp"/);
});

test('tokenVerifier() refuses an address that is not verified', async () => {
  const token = await identity.mintIdToken(CALLER, AUDIENCE, { email_verified: false });
  await refuses(`Bearer ${token}`, /no verified e-mail/);
});

test('tokenVerifier() refuses a token signed by a stranger in the name of the issuer', async () => {
  const { privateKey } = await generateKeyPair('RS256');
  const token = await new SignJWT({ email: CALLER, email_verified: true })
    .setProtectedHeader({ alg: 'RS256', kid: await kidOf(identity) })
    .setIssuer(identity.issuer)
    .setAudience(AUDIENCE)
    .setSubject('1')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  await refuses(`Bearer ${token}`, /signature verification failed/);
});

test('tokenVerifier() refuses an unsigned token', async () => {
  // All else is as it has to be.
  const iat = Math.floor(Date.now() / 1000);
  const genuine = { iss: identity.issuer, aud: AUDIENCE, sub: '1', email: CALLER, email_verified: true };
  const payload = { ...genuine, iat, exp: iat + 3_600 };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  await refuses(`Bearer ${part({ alg: 'none' })}.${part(payload)}.`, /was refused/);
});

test('tokenVerifier() refuses HS256 with the public key as the secret', async () => {
  const jwk = (await keysOf(identity))[0] ?? {};
  const publicKey = await importJWK({ ...jwk, ext: true }, 'RS256');
  assert.ok(!(publicKey instanceof Uint8Array));
  const token = await new SignJWT({ email: CALLER, email_verified: true })
    .setProtectedHeader({ alg: 'HS256', kid: String(jwk.kid) })
    .setIssuer(identity.issuer)
    .setAudience(AUDIENCE)
    .setSubject('1')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(await exportSPKI(publicKey)));
  await refuses(`Bearer ${token}`, /was refused/);
});

test('tokenVerifier() refuses an oversized token without looking at it', async () => {
  await refuses(`Bearer ${'a'.repeat(10_000)}`, /10000 characters, more than 8192/);
});

test('tokenVerifier() refuses a genuine caller that is not on the list', async () => {
  const token = await identity.mintIdToken('stranger@p.iam.gserviceaccount.com', AUDIENCE);
  await assert.rejects(verifier()(`Bearer ${token}`), ForbiddenError);
});

test('tokenVerifier() refuses a request with two tokens, whichever of them is good', async () => {
  const good = `Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`;
  await refuses([good, 'Bearer x'], /2 Authorization headers/);
  await refuses(['Bearer x', good], /2 Authorization headers/);
  await refuses(`${good}, Bearer x`, /no bearer token/);
  assert.equal((await verifier()([good])).email, CALLER);
});

test('tokenVerifier() reads the scheme in any case, and one space after it', async () => {
  const token = await identity.mintIdToken(CALLER, AUDIENCE);
  assert.equal((await verifier()(`bEARER ${token}`)).email, CALLER);
  for (const odd of [
    `Bearer  ${token}`,
    `Bearer\t${token}`,
    ` Bearer ${token}`,
    `Bearer ${token} `,
    `Bearer${token}`,
    token,
  ]) {
    await refuses(odd, /no bearer token/);
  }
});

test('tokenVerifier() refuses a token of the future, and takes one within the clocks’ skew', async () => {
  const seconds = Math.floor(Date.now() / 1000);
  const mint = (iat: number, nbf: number) => identity.mintIdToken(CALLER, AUDIENCE, { iat, nbf, exp: seconds + 600 });
  await refuses(`Bearer ${await mint(seconds + 300, seconds)}`, /"iat" is in the future/);
  await refuses(`Bearer ${await mint(seconds, seconds + 300)}`, /"nbf"/);
  await verifier()(`Bearer ${await mint(seconds + 10, seconds + 10)}`);
});

test('tokenVerifier() takes an expired token within the clocks’ skew only', async () => {
  const token = await identity.mintIdToken(CALLER, AUDIENCE);
  const { exp = 0 } = decodeJwt(token);
  await verifier({ clock: () => (exp + 20) * 1000 })(`Bearer ${token}`);
  await assert.rejects(verifier({ clock: () => (exp + 40) * 1000 })(`Bearer ${token}`), UnauthenticatedError);
});

test('tokenVerifier() refuses a token that lives for days', async () => {
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  await refuses(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE, { exp })}`, /longer than 7200 s/);
});

test('tokenVerifier() refuses a token that another account was given', async () => {
  await refuses(
    `Bearer ${await identity.mintIdToken(CALLER, AUDIENCE, { azp: '1234' })}`,
    /azp "1234" is another account/,
  );
});

test('tokenVerifier() refuses a token whose signature Cloud Run has removed, and says how to deploy', async () => {
  const [header, payload] = (await identity.mintIdToken(CALLER, AUDIENCE)).split('.');
  await refuses(`Bearer ${header}.${payload}.SIGNATURE_REMOVED_BY_GOOGLE`, /no-invoker-iam-check/);
});

test('tokenVerifier() asks no keys of an issuer that it does not trust', async () => {
  const stranger = await openIdentityServer();
  await stranger.close();
  const token = await identity.mintIdToken(CALLER, AUDIENCE, { iss: stranger.issuer });
  await refuses(`Bearer ${token}`, /not one that this function trusts/);
});

test('tokenVerifier() takes tokens of several issuers, each signed by its own', async () => {
  const second = await openIdentityServer();
  try {
    const issuers = [identity.issuer, second.issuer].map((issuer) => issuerOf(issuer));
    const verify = tokenVerifier({ issuers, audiences: [AUDIENCE], callers: [CALLER] });
    for (const { mintIdToken, issuer } of [identity, second]) {
      assert.equal((await verify(`Bearer ${await mintIdToken(CALLER, AUDIENCE)}`)).issuer, issuer);
    }
    const swapped = await second.mintIdToken(CALLER, AUDIENCE, { iss: identity.issuer });
    await assert.rejects(verify(`Bearer ${swapped}`), UnauthenticatedError);
  } finally {
    await second.close();
  }
});

test('tokenVerifier() takes an issuer’s own audiences in place of the function’s address', async () => {
  const issuers = [issuerOf(identity.issuer, { audiences: ['0oa-client'] })];
  const verify = tokenVerifier({ issuers, audiences: [AUDIENCE], callers: [] });
  await verify(`Bearer ${await identity.mintIdToken(CALLER, '0oa-client')}`);
  await assert.rejects(verify(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`), UnauthenticatedError);
});

test('tokenVerifier() follows a rotation of the issuer’s key at once', async () => {
  const verify = verifier();
  await verify(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`);
  await identity.rotateKey();
  assert.equal((await verify(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`)).email, CALLER);
});

test('tokenVerifier() goes on taking tokens of the key before a rotation', async () => {
  const verify = verifier();
  await verify(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`);
  const old = await identity.mintIdToken(CALLER, AUDIENCE);
  await identity.rotateKey();
  assert.equal((await verify(`Bearer ${old}`)).email, CALLER);
});

test('tokenVerifier() says that the issuer cannot be reached, as an error that may pass', async () => {
  const verify = verifier({ issuer: 'http://127.0.0.1:1' });
  const token = await identity.mintIdToken(CALLER, AUDIENCE, { iss: 'http://127.0.0.1:1' });
  await assert.rejects(verify(`Bearer ${token}`), (error) => {
    assert.ok(error instanceof PenstockError);
    assert.equal(error.code, 'ISSUER_UNAVAILABLE');
    assert.equal(error.retryable, true);
    return true;
  });
});

async function keysOf(server: IdentityServer): Promise<Record<string, unknown>[]> {
  const get = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;
  const { jwks_uri } = await get<{ jwks_uri: string }>(`${server.issuer}/.well-known/openid-configuration`);
  return (await get<{ keys: Record<string, unknown>[] }>(jwks_uri)).keys;
}

async function kidOf(server: IdentityServer): Promise<string> {
  return String((await keysOf(server))[0]?.kid);
}

test('tokenVerifier() does not blame the token when the keys that discovery names cannot be read', async () => {
  const server = createServer((_, response) =>
    response.end(JSON.stringify({ issuer, jwks_uri: 'http://127.0.0.1:9/jwks' })),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const token = await identity.mintIdToken(CALLER, AUDIENCE, { iss: issuer });
  await assert.rejects(verifier({ issuer })(`Bearer ${token}`), IssuerUnavailableError);
  server.closeAllConnections();
  server.close();
});
