import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** An OIDC issuer for tests: discovery, one key, and tokens with any claims. */
export interface TestIssuer {
  url: string;
  token(claims: Record<string, unknown>, options?: { expiresIn?: string; issuer?: string }): Promise<string>;
  close(): Promise<void>;
  /** Starts again on the same port after close(). */
  reopen(): Promise<void>;
}

export async function openTestIssuer(): Promise<TestIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  let url = '';
  const server = createServer((request, response) => {
    const body = request.url === '/jwks' ? { keys: [jwk] } : { issuer: url, jwks_uri: `${url}/jwks` };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The issuer has no port');
  url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    token: (claims, { expiresIn = '1h', issuer = url } = {}) =>
      new SignJWT({ sub: '1', iat: Math.floor(Date.now() / 1_000), ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
        .setIssuer(issuer)
        .setExpirationTime(expiresIn)
        .sign(privateKey),
    reopen: () => listen(address.port),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
