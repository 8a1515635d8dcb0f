import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';
import {
  ForbiddenError,
  IssuerUnavailableError,
  tokenVerifier,
  UnauthenticatedError,
} from '../../../../shared/adapters/identity/verify-token.ts';
import { PenstockError } from '../../../../shared/base/errors.ts';

const CALLER = 'push@p.iam.gserviceaccount.com';
const AUDIENCE = 'https://sink.example';
let identity: IdentityServer;
before(async () => {
  identity = await openIdentityServer();
});
after(() => identity.close());

function verifier(overrides: { callers?: string[]; issuer?: string } = {}) {
  const { callers = [CALLER], issuer = identity.issuer } = overrides;
  return tokenVerifier({ issuer, audiences: [AUDIENCE], callers });
}

async function refuses(authorization: string | undefined, message: RegExp): Promise<void> {
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
  const payload = {
    iss: identity.issuer,
    aud: AUDIENCE,
    sub: '1',
    email: CALLER,
    email_verified: true,
    iat: 1,
    exp: 2 ** 40,
  };
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

test('tokenVerifier() goes on taking tokens of the key before a rotation', async () => {
  const verify = verifier();
  await verify(`Bearer ${await identity.mintIdToken(CALLER, AUDIENCE)}`);
  const old = await identity.mintIdToken(CALLER, AUDIENCE);
  await identity.rotateKey();
  assert.equal((await verify(`Bearer ${old}`)).email, CALLER);
});

test('tokenVerifier() says that the issuer cannot be reached, as an error that may pass', async () => {
  const verify = verifier({ issuer: 'http://127.0.0.1:1' });
  const token = await identity.mintIdToken(CALLER, AUDIENCE);
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
  const server = createServer((_, response) => response.end('{"jwks_uri":"http://127.0.0.1:9/jwks"}'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const token = await identity.mintIdToken(CALLER, AUDIENCE, { iss: issuer });
  await assert.rejects(verifier({ issuer })(`Bearer ${token}`), IssuerUnavailableError);
  server.closeAllConnections();
  server.close();
});
