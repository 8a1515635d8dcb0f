import { type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as z from 'zod';
import { issuerKeys } from './issuer-keys.ts';
import { Problem } from './problem.ts';

/** Decides who calls, from the Authorization header; throws when the caller may not. */
export type VerifyCaller = (authorization: string | undefined) => Promise<{ email: string }>;

export interface TokenRules {
  /** The issuer's URL, whose discovery document names its keys. */
  issuer: string;
  audience: string;
  /** Emails that may call; all of the issuer's when left out. */
  callers?: readonly string[];
  /** Milliseconds since 1970; the machine's clock when left out. */
  now?: () => number;
}

/** By which the issuer's clock and ours may differ. */
const SKEW_SECONDS = 30;
/** Google's ID tokens live an hour; who holds one that lives longer holds a key. */
const MAX_LIFE_SECONDS = 2 * 3_600;
const MAX_TOKEN_CHARACTERS = 8_192;

const claimsSchema = z.object({
  email: z.string().min(1),
  email_verified: z.literal(true),
  sub: z.string().min(1),
  aud: z.union([z.string(), z.array(z.string())]),
  azp: z.string().optional(),
  iat: z.number(),
  exp: z.number(),
});

type Claims = z.infer<typeof claimsSchema>;

/**
 * Makes the check of OIDC bearer tokens: signature, issuer, audience, times and length of life, a verified email that the
 * token was given to, and an allowed one.
 *
 * The check throws a {@link Problem}: 401 for a token that is missing or not good, 403 for a caller that is not allowed, 503
 * when the issuer cannot be reached. The issuer is asked for its keys at the first call, so that it may start later.
 */
export function verifyToken({ issuer, audience, callers, now = Date.now }: TokenRules): VerifyCaller {
  const keys = issuerKeys(issuer, now);
  return async (authorization) => {
    const token = readBearer(authorization ?? '');
    const claims = readClaims(await readPayload(token, keys, { issuer, audience, currentDate: new Date(now()) }));
    const fault = faultOf(claims, now() / 1_000);
    if (fault !== undefined) throw notGood(fault);
    const { email } = claims;
    if (callers !== undefined && !callers.includes(email)) {
      throw new Problem(403, 'Not allowed', `${email} may not call this trainer: add it to the callers`);
    }
    return { email };
  };
}

function readBearer(authorization: string): string {
  const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(authorization)?.[1];
  if (token === undefined) throw unauthorized('Wanted is Authorization: Bearer TOKEN');
  if (token.length <= MAX_TOKEN_CHARACTERS) return token;
  throw notGood(`it has ${token.length} characters, more than ${MAX_TOKEN_CHARACTERS}`);
}

async function readPayload(
  token: string,
  keys: JWTVerifyGetKey,
  rules: { issuer: string; audience: string; currentDate: Date },
): Promise<JWTPayload> {
  try {
    const how = { ...rules, algorithms: ['RS256', 'ES256'], clockTolerance: SKEW_SECONDS };
    return (await jwtVerify(token, keys, how)).payload;
  } catch (cause) {
    // Keys that cannot be had are no fault of the token.
    if (cause instanceof Problem) throw cause;
    throw notGood(cause instanceof Error ? cause.message : String(cause));
  }
}

function readClaims(payload: JWTPayload): Claims {
  const { data, error } = claimsSchema.safeParse(payload);
  if (data !== undefined) return data;
  throw notGood(`wrong or missing are ${error.issues.map(({ path }) => path.join('.')).join(', ')}`);
}

/** What a genuine token, in time and for this audience, may still be. */
function faultOf({ iat, exp, azp, aud, sub, email }: Claims, nowSeconds: number): string | undefined {
  if (iat > nowSeconds + SKEW_SECONDS) return 'its iat is in the future';
  if (exp - iat > MAX_LIFE_SECONDS) return `it lives ${exp - iat} s, more than ${MAX_LIFE_SECONDS}`;
  if (azp !== undefined && azp !== sub && azp !== email) return 'its azp is another account than its own';
  if (azp === undefined && Array.isArray(aud) && aud.length > 1) return 'it has several audiences and no azp';
  return undefined;
}

function notGood(why: string): Problem {
  return unauthorized(`The token is not good: ${why}`);
}

function unauthorized(detail: string): Problem {
  return new Problem(401, 'Not authenticated', detail, { 'www-authenticate': 'Bearer' });
}
