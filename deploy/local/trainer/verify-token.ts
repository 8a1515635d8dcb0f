import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as z from 'zod';
import { Problem } from './problem.ts';

/** Decides who calls, from the Authorization header; throws when the caller may not. */
export type VerifyCaller = (authorization: string | undefined) => Promise<{ email: string }>;

export interface TokenRules {
  /** The issuer's URL, whose discovery document names its keys. */
  issuer: string;
  audience: string;
  /** Emails that may call; all of the issuer's when left out. */
  callers?: readonly string[];
}

const DISCOVERY_TIMEOUT_MS = 5_000;

const claimsSchema = z.object({ email: z.string().min(1), email_verified: z.literal(true), exp: z.number() });

/**
 * Makes the check of OIDC bearer tokens: signature, issuer, audience, expiry, a verified email, and an allowed one.
 *
 * The check throws a {@link Problem}: 401 for a token that is missing or not good, 403 for a caller that is not allowed, 503
 * when the issuer cannot be reached. The issuer is asked for its keys at the first call, so that it may start later.
 */
export function verifyToken({ issuer, audience, callers }: TokenRules): VerifyCaller {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  return async (authorization) => {
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthorized('Wanted is Authorization: Bearer TOKEN');
    keys ??= discoverKeys(issuer);
    const { email } = await readClaims(
      token,
      await keys.catch((cause) => {
        keys = undefined;
        throw cause;
      }),
      { issuer, audience },
    );
    if (callers !== undefined && !callers.includes(email)) {
      throw new Problem(403, 'Not allowed', `${email} may not call this trainer: add it to the callers`);
    }
    return { email };
  };
}

async function readClaims(token: string, keys: JWTVerifyGetKey, rules: { issuer: string; audience: string }) {
  try {
    const { payload } = await jwtVerify(token, keys, { ...rules, algorithms: ['RS256', 'ES256'], clockTolerance: 5 });
    return claimsSchema.parse(payload);
  } catch (cause) {
    if (cause instanceof z.ZodError) {
      throw unauthorized(`The token is not good in ${cause.issues.map(({ path }) => path.join('.')).join(', ')}`);
    }
    if (isTokensFault(cause)) throw unauthorized(`The token is not good: ${cause.message}`);
    throw unreachable(rules.issuer, cause);
  }
}

/** jose tells a key set that was not answered by a timeout or a generic error, and everything else is the token's. */
function isTokensFault(cause: unknown): cause is errors.JOSEError {
  return cause instanceof errors.JOSEError && !['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC'].includes(cause.code);
}

async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  try {
    const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the discovery document was answered with ${response.status}`);
    const { jwks_uri } = z.object({ issuer: z.literal(issuer), jwks_uri: z.url() }).parse(await response.json());
    return createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: DISCOVERY_TIMEOUT_MS });
  } catch (cause) {
    throw unreachable(issuer, cause);
  }
}

function unreachable(issuer: string, cause: unknown): Problem {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Problem(503, 'Issuer unreachable', `The keys of ${issuer} could not be had: ${reason}`, {
    'retry-after': '1',
  });
}

function unauthorized(detail: string): Problem {
  return new Problem(401, 'Not authenticated', detail, { 'www-authenticate': 'Bearer' });
}
