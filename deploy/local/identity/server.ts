import { createHash } from 'node:crypto';
import { Hono } from 'hono';
import type { JWTPayload } from 'jose';
import { openAccessTokens } from './access-tokens.ts';
import { type Federation, federation } from './federation.ts';
import { type MetadataServer, openMetadataServer } from './metadata-server.ts';
import { serveHttp } from './serve-http.ts';
import { openServiceAccountKeys, type ServiceAccountKeys } from './service-account-keys.ts';
import { type SignIn, signIn } from './sign-in.ts';
import { openSigningKeys, type SigningKeys } from './signing-keys.ts';

const TOKEN_SECONDS = 3600;
const MAX_NAME_CHARS = 2048;
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** An OIDC issuer whose tokens look like those that Google gives to service accounts. */
export interface IdentityServer {
  /** `http://127.0.0.1:port`: the `iss` of every token, and the base of discovery. */
  readonly issuer: string;
  /** `127.0.0.1:port` */
  readonly address: string;
  /**
   * Signs an ID token that lives one hour.
   *
   * @param claims replace or add to the usual ones, for instance `exp` in the past to try a verifier
   */
  mintIdToken(serviceAccount: string, audience: string, claims?: JWTPayload): Promise<string>;
  /** Signs with a new key from now on; the old one stays published for two hours. */
  rotateKey(): Promise<void>;
  /** Trusts a provider of a workload identity pool: `POST /v1/token` trades its tokens. */
  readonly addProvider: Federation['addProvider'];
  readonly letImpersonate: Federation['letImpersonate'];
  /** Keys of service accounts are made at `/v1/projects/-/serviceAccounts/EMAIL/keys`, as IAM does. */
  readonly letManageKeys: ServiceAccountKeys['letManageKeys'];
  /** Starts a metadata server whose default service account is this one; it closes with the issuer at the latest. */
  openMetadataServer(serviceAccount: string): Promise<MetadataServer>;
  close(): Promise<void>;
}

/**
 * Starts the laptop's OIDC issuer: discovery, JWKS, `POST /token` with `{serviceAccount, audience}`, and signing in as one of
 * the laptop's people.
 *
 * It gives a token for anyone to whoever asks, and therefore listens on 127.0.0.1 only.
 *
 * @param options.port 0 or left out for a free one; keep it the same where tokens shall outlive a restart
 * @param options.dir where the signing keys are kept; in memory when left out
 * @param options.now the time in milliseconds since 1970
 */
export async function openIdentityServer(
  options: { port?: number; dir?: string; now?: () => number } = {},
): Promise<IdentityServer> {
  const now = options.now ?? Date.now;
  const keys = await openSigningKeys({ dir: options.dir, now });
  const metadataServers = new Set<MetadataServer>();
  let issuer = '';

  const mintIdToken = async (serviceAccount: string, audience: string, claims: JWTPayload = {}): Promise<string> =>
    keys.sign({ ...usualClaims({ issuer, serviceAccount, audience, nowMs: now() }), ...claims });

  const people = signIn({ now, issuer: () => issuer, mint: mintIdToken });
  const tokens = openAccessTokens(now);
  const exchange = federation({ now, tokens, mint: mintIdToken });
  const own = { dir: options.dir, now, tokens, issuer: () => issuer, mint: mintIdToken };
  const accountKeys = openServiceAccountKeys(own);
  const app = issuerApp({ keys, issuer: () => issuer, mintIdToken, signIn: people, accountKeys });
  app.route('/', accountKeys.app);
  app.route('/', exchange.app);
  const { address, close } = await serveHttp(app, options.port ?? 0);
  issuer = `http://${address}`;

  return {
    issuer,
    address,
    mintIdToken,
    rotateKey: () => keys.rotate(),
    addProvider: exchange.addProvider,
    letImpersonate: exchange.letImpersonate,
    letManageKeys: accountKeys.letManageKeys,
    async openMetadataServer(serviceAccount) {
      checkName('service account', serviceAccount);
      const server = await openMetadataServer({
        serviceAccount,
        tokens,
        mintIdToken: (audience) => mintIdToken(serviceAccount, audience),
      });
      const tracked: MetadataServer = {
        host: server.host,
        async close() {
          if (metadataServers.delete(tracked)) await server.close();
        },
      };
      metadataServers.add(tracked);
      return tracked;
    },
    async close() {
      await Promise.all([close(), ...[...metadataServers].map((server) => server.close())]);
    },
  };
}

function usualClaims(token: { issuer: string; serviceAccount: string; audience: string; nowMs: number }): JWTPayload {
  checkName('service account', token.serviceAccount);
  checkName('audience', token.audience);
  const issuedAt = Math.floor(token.nowMs / 1000);
  const subject = stableDigits(token.serviceAccount);
  return {
    iss: token.issuer,
    aud: token.audience,
    azp: subject,
    sub: subject,
    email: token.serviceAccount,
    email_verified: true,
    iat: issuedAt,
    exp: issuedAt + TOKEN_SECONDS,
  };
}

/** Google's subjects are 21 digits; ours follow from the email, so that they are the same on every laptop. */
function stableDigits(email: string): string {
  const digest = createHash('sha256').update(email).digest('hex').slice(0, 20);
  return `1${(BigInt(`0x${digest}`) % 10n ** 20n).toString().padStart(20, '0')}`;
}

function checkName(what: string, value: string): void {
  if (value.length === 0 || value.length > MAX_NAME_CHARS) {
    throw new RangeError(
      `Cannot mint a token: the ${what} has ${value.length} characters, wanted 1 to ${MAX_NAME_CHARS}`,
    );
  }
}

function issuerApp(options: {
  keys: SigningKeys;
  issuer: () => string;
  mintIdToken: (serviceAccount: string, audience: string) => Promise<string>;
  signIn: SignIn;
  accountKeys: Pick<ServiceAccountKeys, 'redeem'>;
}): Hono {
  const app = new Hono();
  app.get('/.well-known/openid-configuration', (c) => {
    const issuer = options.issuer();
    return c.json({
      issuer,
      jwks_uri: `${issuer}/jwks`,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ['code', 'id_token'],
      code_challenge_methods_supported: ['S256'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
    });
  });
  app.get('/jwks', (c) => c.json({ keys: options.keys.publicKeys() }, 200, { 'Cache-Control': 'public, max-age=300' }));
  app.route('/', options.signIn.app);
  app.post('/token', async (c) => {
    if (c.req.header('content-type')?.startsWith('application/x-www-form-urlencoded')) {
      const form = new URLSearchParams(await c.req.text());
      if (form.get('grant_type') === 'authorization_code') return options.signIn.redeem(c, Object.fromEntries(form));
      if (form.get('grant_type') === JWT_BEARER) return options.accountKeys.redeem(c, Object.fromEntries(form));
      return c.json({ error: 'unsupported_grant_type' }, 400);
    }
    const body: unknown = await c.req.json().catch(() => undefined);
    const serviceAccount = stringField(body, 'serviceAccount');
    const audience = stringField(body, 'audience');
    if (!serviceAccount || !audience) {
      return c.json(
        { error: 'invalid_request', error_description: 'Wanted {"serviceAccount": "…", "audience": "…"}' },
        400,
      );
    }
    return c.json({ idToken: await options.mintIdToken(serviceAccount, audience) });
  });
  return app;
}

function stringField(body: unknown, name: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Reflect.get(body, name);
  return typeof value === 'string' && value.length <= MAX_NAME_CHARS ? value : undefined;
}
