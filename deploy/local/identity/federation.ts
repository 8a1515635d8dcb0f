import { type Context, Hono } from 'hono';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { type AccessTokens, tokenSeconds } from './access-tokens.ts';
import { type AwsKey, verifyAwsRequest } from './verify-aws-request.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const AWS_REQUEST = 'urn:ietf:params:aws:token-type:aws4_request';
const JWT_TYPES = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'];

/** A provider of a workload identity pool. */
export type FederationProvider =
  /** `subjectClaim` is what the attribute mapping makes `google.subject` of; `sub` unless given. */
  | {
      readonly kind: 'oidc';
      readonly issuer: string;
      readonly audiences: readonly string[];
      readonly subjectClaim?: string;
    }
  | { readonly kind: 'aws'; readonly keys: readonly AwsKey[] };

/** Token exchange and impersonation, as Google's STS and IAM Credentials have them. */
export interface Federation {
  readonly app: Hono;
  /** @param name `projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER` */
  addProvider(name: string, provider: FederationProvider): void;
  /** Lets a member, as IAM writes it (`principal://iam.googleapis.com/POOL/subject/SUBJECT`), act as a service account. */
  letImpersonate(member: string, serviceAccount: string): void;
}

export function federation(options: {
  readonly now: () => number;
  readonly tokens: AccessTokens;
  readonly mint: (serviceAccount: string, audience: string, claims?: JWTPayload) => Promise<string>;
}): Federation {
  const providers = new Map<string, FederationProvider>();
  const allowed = new Set<string>();
  const { give } = options.tokens;
  const app = new Hono();
  app.post('/v1/token', async (c) => {
    const form = Object.fromEntries(new URLSearchParams(await c.req.text()));
    const name = (form.audience ?? '').replace(/^\/\/iam\.googleapis\.com\//, '');
    const provider = providers.get(name);
    if (form.grant_type !== EXCHANGE) return refuse(c, 'unsupported_grant_type', `grant_type is not ${EXCHANGE}`);
    if (!provider) return refuse(c, 'invalid_target', `The audience names no provider: ${name}`);
    try {
      const subject = await subjectOf(provider, form, options.now());
      const pool = name.replace(/\/providers\/[^/]+$/, '');
      const { token } = give('federated.', `principal://iam.googleapis.com/${pool}/subject/${subject}`);
      return c.json({
        access_token: token,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: tokenSeconds,
      });
    } catch (error) {
      return refuse(c, 'invalid_grant', error instanceof Error ? error.message : String(error));
    }
  });
  app.post('/v1/projects/-/serviceAccounts/:call', async (c) => {
    const [, account = '', method = ''] =
      /^(.+):(generateAccessToken|generateIdToken)$/.exec(c.req.param('call')) ?? [];
    const member = options.tokens.holderOf(c.req.header('authorization'));
    if (member === undefined) return deny(c, 401, 'UNAUTHENTICATED', 'The access token is invalid or expired');
    if (!allowed.has(`${member} ${account}`)) {
      return deny(c, 403, 'PERMISSION_DENIED', `${member} may not act as ${account}`);
    }
    const body: unknown = await c.req.json().catch(() => ({}));
    if (method === 'generateAccessToken') {
      const { token, expiresAtMs } = give('ya29.local-', `serviceAccount:${account}`);
      return c.json({ accessToken: token, expireTime: new Date(expiresAtMs).toISOString() });
    }
    const audience = typeof body === 'object' && body !== null && 'audience' in body ? String(body.audience) : '';
    if (audience === '') return deny(c, 400, 'INVALID_ARGUMENT', 'The audience is missing');
    return c.json({ token: await options.mint(account, audience) });
  });
  return {
    app,
    addProvider: (name, provider) => void providers.set(name, provider),
    letImpersonate: (member, serviceAccount) => void allowed.add(`${member} ${serviceAccount}`),
  };
}

async function subjectOf(
  provider: FederationProvider,
  form: Readonly<Record<string, string>>,
  nowMs: number,
): Promise<string> {
  const { subject_token: token = '', subject_token_type: type = '', audience = '' } = form;
  if (provider.kind === 'aws') {
    if (type !== AWS_REQUEST) throw new Error(`The subject token is no ${AWS_REQUEST}`);
    return verifyAwsRequest(token, { target: audience, keys: provider.keys, nowMs });
  }
  if (!JWT_TYPES.includes(type)) throw new Error('The subject token is no JWT');
  const { issuer, subjectClaim = 'sub' } = provider;
  const discovery: unknown = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const jwks = typeof discovery === 'object' && discovery !== null && 'jwks_uri' in discovery ? discovery.jwks_uri : '';
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(String(jwks))), {
    issuer,
    audience: [...provider.audiences],
    algorithms: ['RS256', 'ES256'],
    currentDate: new Date(nowMs),
    requiredClaims: ['exp', 'iat', subjectClaim],
  });
  return String(payload[subjectClaim]);
}

/** As RFC 6749, section 5.2. */
function refuse(c: Context, error: string, description: string): Response {
  return c.json({ error, error_description: description }, 400);
}

/** As Google's APIs. */
function deny(c: Context, code: 400 | 401 | 403, status: string, message: string): Response {
  return c.json({ error: { code, status, message } }, code);
}
