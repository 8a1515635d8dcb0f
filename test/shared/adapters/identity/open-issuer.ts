import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export type Answer = (response: ServerResponse, issuer: string) => void;

/** Answers with the rest of the path, which is JSON. */
const ECHO = '/echo/';

/** An issuer that answers for its keys as a test wants it to. */
export async function openIssuer(context: TestContext, keys: Answer) {
  const state = { keys, discovery: undefined as Answer | undefined, keyFetches: 0 };
  const server = createServer((request, response) => {
    if (request.url === '/jwks') {
      state.keyFetches += 1;
      return state.keys(response, issuer);
    }
    if (request.url?.startsWith(ECHO)) return response.end(decodeURIComponent(request.url.slice(ECHO.length)));
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

/** A key pair, as the issuer publishes it, and a token that it signed. */
export async function makeKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const token = await new SignJWT({ sub: '1' }).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
  return { token, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}

export const serving =
  (...keys: readonly JWK[]): Answer =>
  (response) =>
    response.end(JSON.stringify({ keys }));

export const failing: Answer = (response) => response.writeHead(500).end();

const large = Buffer.alloc(64 * 1024, 0x20);
/** What an issuer may answer to do harm, or by mistake. */
export const hostile: Readonly<Record<string, (jwk: JWK) => Answer>> = {
  'ten thousand keys': () => serving(...Array.from({ length: 10_000 }, (_, at) => ({ kty: 'oct', kid: String(at) }))),
  'a hundred and one keys': (jwk) => serving(...Array.from({ length: 100 }, () => ({ kty: 'RSA' })), jwk),
  'a body without an end': () => (response) => {
    const more = (): void => void (response.destroyed || response.write(large, more));
    more();
  },
  'larger than 256 KiB': (jwk) => serving(jwk, { kty: 'oct', k: 'A'.repeat(256 * 1024) }),
  'a redirect': (jwk) => (response) => {
    const location = `${ECHO}${encodeURIComponent(JSON.stringify({ keys: [jwk] }))}`;
    return response.writeHead(302, { location }).end();
  },
  'no JSON': () => (response) => response.end('<html>'),
  'no keys': () => (response) => response.end('{}'),
  'an error': () => failing,
};
