import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { GoogleAuth } from 'google-auth-library';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';

const READER = 'reader@flights.iam.gserviceaccount.com';
const AUDIENCE = 'https://trainer.example';
const directory = mkdtempSync(join(tmpdir(), 'identity-'));
after(() => rmSync(directory, { recursive: true }));

async function json(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json();
  assert.ok(typeof body === 'object' && body !== null);
  return { ...body };
}

async function verify(issuer: string, token: string, audience = AUDIENCE): Promise<JWTPayload> {
  const discovery = await json(await fetch(`${issuer}/.well-known/openid-configuration`));
  assert.equal(discovery.issuer, issuer);
  const keys = createRemoteJWKSet(new URL(String(discovery.jwks_uri)));
  return (await jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256'] })).payload;
}

async function withServer(
  options: Parameters<typeof openIdentityServer>[0],
  use: (server: IdentityServer) => Promise<void>,
): Promise<void> {
  const server = await openIdentityServer(options);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

test('mintIdToken() signs what Google puts into a service account token, verifiable through discovery', () =>
  withServer({}, async (server) => {
    const claims = await verify(server.issuer, await server.mintIdToken(READER, AUDIENCE));
    assert.equal(claims.email, READER);
    assert.equal(claims.email_verified, true);
    assert.match(String(claims.sub), /^\d{21}$/);
    assert.equal(claims.azp, claims.sub);
    assert.equal(Number(claims.exp) - Number(claims.iat), 3600);
    const again = await verify(server.issuer, await server.mintIdToken(READER, AUDIENCE));
    assert.equal(again.sub, claims.sub);
    const other = await verify(server.issuer, await server.mintIdToken('other@x', AUDIENCE));
    assert.notEqual(other.sub, claims.sub);
  }));

test('mintIdToken() makes tokens that a verifier refuses when asked to', () =>
  withServer({}, async (server) => {
    await assert.rejects(verify(server.issuer, await server.mintIdToken(READER, 'https://elsewhere')), /aud/);
    await assert.rejects(verify(server.issuer, await server.mintIdToken(READER, AUDIENCE, { exp: 1 })), /exp/);
    await assert.rejects(server.mintIdToken('', AUDIENCE), /service account has 0 characters/);
    await assert.rejects(server.mintIdToken(READER, 'a'.repeat(3000)), /audience has 3000 characters/);
  }));

test('openIdentityServer() keeps its keys in the directory, readable by the owner only', async () => {
  const dir = join(directory, 'kept');
  let token = '';
  let port = 0;
  await withServer({ dir }, async (server) => {
    token = await server.mintIdToken(READER, AUDIENCE);
    port = Number(server.address.split(':')[1]);
  });
  assert.equal(statSync(join(dir, 'signing-keys.json')).mode & 0o077, 0);
  await withServer({ dir, port }, async (server) => {
    assert.equal((await verify(server.issuer, token)).email, READER);
  });
});

test('rotateKey() signs with a new key and publishes the old one for two hours', async () => {
  let nowMs = Date.now();
  await withServer({ now: () => nowMs }, async (server) => {
    const before = await server.mintIdToken(READER, AUDIENCE);
    await server.rotateKey();
    const afterwards = await server.mintIdToken(READER, AUDIENCE);
    assert.notEqual(decodeProtectedHeader(before).kid, decodeProtectedHeader(afterwards).kid);
    await verify(server.issuer, before);
    await verify(server.issuer, afterwards);
    nowMs += 2 * 3600 * 1000;
    await assert.rejects(verify(server.issuer, before), /no applicable key/);
    await verify(server.issuer, afterwards);
  });
});

test('the key set holds no private part', () =>
  withServer({}, async (server) => {
    const { keys } = await json(await fetch(`${server.issuer}/jwks`));
    assert.ok(Array.isArray(keys));
    assert.deepEqual(Object.keys(keys[0]).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  }));

test('POST /token gives a token to another process, and says what it wants when asked wrongly', () =>
  withServer({}, async (server) => {
    const ask = (body: string): Promise<Response> =>
      fetch(`${server.issuer}/token`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    const answer = await ask(JSON.stringify({ serviceAccount: READER, audience: AUDIENCE }));
    assert.equal((await verify(server.issuer, String((await json(answer)).idToken))).email, READER);
    for (const bad of ['', '{', '[]', '{"serviceAccount":1,"audience":"a"}', `{"serviceAccount":"${READER}"}`]) {
      assert.equal((await ask(bad)).status, 400, bad);
    }
  }));

test('the unmodified google-auth-library gets its tokens from openMetadataServer()', () =>
  withServer({}, async (server) => {
    const metadata = await server.openMetadataServer(READER);
    process.env.GCE_METADATA_HOST = metadata.host;
    try {
      const auth = new GoogleAuth();
      const client = await auth.getIdTokenClient(AUDIENCE);
      const header = (await client.getRequestHeaders()).get('authorization') ?? '';
      const claims = await verify(server.issuer, header.replace('Bearer ', ''));
      assert.equal(claims.email, READER);
      assert.equal(await auth.getProjectId(), 'flights');
      const { client_email: email } = await auth.getCredentials();
      assert.equal(email, READER);
      assert.match(String(await auth.getAccessToken()), /^ya29\./);
    } finally {
      delete process.env.GCE_METADATA_HOST;
    }
  }));

test('openMetadataServer() answers only to Metadata-Flavor: Google, and closes with its issuer', async () => {
  let host = '';
  await withServer({}, async (server) => {
    ({ host } = await server.openMetadataServer(READER));
    const path = `http://${host}/computeMetadata/v1/instance/service-accounts/default`;
    const headers = { 'Metadata-Flavor': 'Google' };
    assert.equal((await fetch(`${path}/email`)).status, 403);
    const email = await fetch(`${path}/email`, { headers });
    assert.equal(await email.text(), READER);
    assert.equal(email.headers.get('metadata-flavor'), 'Google');
    assert.equal((await fetch(`${path}/identity`, { headers })).status, 400);
    const token = await (await fetch(`${path}/identity?audience=a&format=full`, { headers })).text();
    assert.equal(decodeJwt(token).aud, 'a');
  });
  await assert.rejects(fetch(`http://${host}/computeMetadata/v1/instance/`));
});
