import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { type IdentityServer, openIdentityServer } from '../../../../deploy/local/identity/server.ts';

const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');
const redirectUri = 'http://127.0.0.1:1/back';
let server: IdentityServer;
let nowMs = Date.now();
before(async () => {
  server = await openIdentityServer({ now: () => nowMs });
});
after(() => server.close());

function authorizeUrl(changed: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'page',
    redirect_uri: redirectUri,
    state: 's',
    nonce: 'n',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changed,
  });
  return `${server.issuer}/authorize?${query}`;
}

async function codeFor(person: string): Promise<string> {
  const body = new URLSearchParams({ person });
  const answer = await fetch(authorizeUrl(), { method: 'POST', redirect: 'manual', body });
  const target = new URL(answer.headers.get('location') ?? '');
  assert.equal(target.origin + target.pathname, redirectUri);
  assert.deepEqual([target.searchParams.get('state'), target.searchParams.get('iss')], ['s', server.issuer]);
  return target.searchParams.get('code') ?? '';
}

const redeem = (code: string, changed: Record<string, string> = {}) =>
  fetch(`${server.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      client_id: 'page',
      redirect_uri: redirectUri,
      code_verifier: verifier,
      ...changed,
    }),
  });

test('the laptop’s issuer signs a person in by a code that is good once', async () => {
  assert.match(await (await fetch(authorizeUrl())).text(), /value="ada@example\.com"/);
  const code = await codeFor('ada@example.com');
  const answer = await redeem(code);
  assert.equal(answer.status, 200);
  const body: unknown = await answer.json();
  assert.ok(typeof body === 'object' && body !== null && 'id_token' in body);
  const { aud, nonce, email, groups, hd, azp } = decodeJwt(String(body.id_token));
  assert.deepEqual(
    { aud, nonce, email, groups, hd, azp },
    { aud: 'page', nonce: 'n', email: 'ada@example.com', groups: ['operators'], hd: 'example.com', azp: 'page' },
  );
  assert.equal((await redeem(code)).status, 400);
});

test('a code is refused with another verifier, client or address, and after a minute', async () => {
  for (const wrong of [
    { code_verifier: 'w'.repeat(43) },
    { client_id: 'other' },
    { redirect_uri: 'http://127.0.0.1:2/' },
  ]) {
    assert.equal((await redeem(await codeFor('ada@example.com'), wrong)).status, 400);
  }
  const late = await codeFor('ada@example.com');
  nowMs += 60_000;
  assert.equal((await redeem(late)).status, 400);
  assert.equal((await redeem('nonsense')).status, 400);
  assert.equal((await redeem('x', { grant_type: 'password' })).status, 400);
});

test('the laptop’s issuer sends nobody off the laptop, and asks for PKCE', async () => {
  for (const wrong of [
    { redirect_uri: 'https://evil.example/' },
    { redirect_uri: 'javascript:alert(1)' },
    { response_type: 'token' },
    { code_challenge_method: 'plain' },
    { code_challenge: '' },
    { client_id: '' },
  ]) {
    assert.equal((await fetch(authorizeUrl(wrong))).status, 400, JSON.stringify(wrong));
  }
});
