import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { PenstockError } from '../../base/errors.ts';

const JWKS_TIMEOUT_MS = 5_000;
const JWKS_COOLDOWN_MS = 10_000;
const CLOCK_SKEW_SECONDS = 30;
/** Google's tokens are under 2 KiB; nothing larger is worth a signature check. */
const MAX_TOKEN_CHARACTERS = 8_192;

/** Who is calling, as a verified token says. */
export interface Caller {
  readonly email: string;
  readonly subject: string;
  readonly issuer: string;
}

/** What a door asks of a token. */
export interface TokenRules {
  /** Its discovery document names the keys. */
  readonly issuer: string;
  /** The token must have been made for one of these. */
  readonly audiences: readonly string[];
  /** E-mail addresses that may come in; empty for any verified one of the issuer. */
  readonly callers: readonly string[];
}

/** The request has no token that opens this door. */
export class UnauthenticatedError extends PenstockError {
  constructor(message: string, cause?: unknown) {
    super(message, {
      code: 'UNAUTHENTICATED',
      remedy: "Send a bearer token from the configured issuer, made for this function's audience",
      retryable: false,
      cause,
    });
  }
}

/** The token is genuine, but its owner may not do this. */
export class ForbiddenError extends PenstockError {
  constructor(email: string) {
    super(`${email} may not call this function`, {
      code: 'FORBIDDEN',
      remedy: 'Name the service account in PENSTOCK_CALLERS, or call as one that is named there',
      retryable: false,
    });
  }
}

/** The issuer's keys cannot be had, so that nothing can be said of a token. */
export class IssuerUnavailableError extends PenstockError {
  constructor(issuer: string, cause: unknown) {
    super(`Cannot read the keys of issuer ${issuer}`, {
      code: 'ISSUER_UNAVAILABLE',
      remedy: 'Check that the issuer is reachable; the request may be sent again',
      retryable: true,
      cause,
    });
  }
}

/**
 * Makes the check of an OIDC token for one door.
 *
 * Keys come from the issuer's discovery document at the first call and are fetched again, at most every 10 s,
 * when a token names a key that is not among them.
 *
 * @returns a function from the `Authorization` header to the caller
 * @throws {UnauthenticatedError} from that function, for a missing, forged, expired or misdirected token
 * @throws {ForbiddenError} from that function, for a caller that is not on the list
 * @throws {IssuerUnavailableError} from that function, when the keys cannot be read: the token may be a good one
 */
export function tokenVerifier(rules: TokenRules): (authorization: string | undefined) => Promise<Caller> {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  return async (authorization) => {
    const token = bearerToken(authorization);
    keys ??= discoverKeys(rules.issuer);
    const getKey = await keys.catch((cause: unknown) => {
      keys = undefined;
      throw new IssuerUnavailableError(rules.issuer, cause);
    });
    return callerOf(token, getKey, rules);
  };
}

function bearerToken(authorization: string | undefined): string {
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) throw new UnauthenticatedError('The request carries no bearer token');
  if (token.length > MAX_TOKEN_CHARACTERS) {
    throw new UnauthenticatedError(`The token has ${token.length} characters, more than ${MAX_TOKEN_CHARACTERS}`);
  }
  return token;
}

async function callerOf(token: string, getKey: JWTVerifyGetKey, rules: TokenRules): Promise<Caller> {
  const findKey: JWTVerifyGetKey = async (header, jws) => {
    try {
      return await getKey(header, jws);
    } catch (error) {
      throw saysOfToken(error) ? error : new IssuerUnavailableError(rules.issuer, error);
    }
  };
  const { payload } = await jwtVerify(token, findKey, {
    issuer: rules.issuer,
    audience: [...rules.audiences],
    algorithms: ['RS256', 'ES256'],
    clockTolerance: CLOCK_SKEW_SECONDS,
    requiredClaims: ['exp', 'iat', 'sub', 'email'],
  }).catch((cause: unknown) => {
    if (cause instanceof IssuerUnavailableError) throw cause;
    throw new UnauthenticatedError(`The token was refused: ${cause instanceof Error ? cause.message : cause}`, cause);
  });
  const { email, email_verified: verified, sub } = payload;
  if (typeof email !== 'string' || verified !== true) {
    throw new UnauthenticatedError('The token names no verified e-mail address');
  }
  if (rules.callers.length > 0 && !rules.callers.includes(email)) throw new ForbiddenError(email);
  return { email, subject: sub ?? '', issuer: rules.issuer };
}

/** No key fits the token's header; anything else was wrong with the keys, or on the way to them. */
function saysOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(JWKS_TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`GET ${url} answered ${answer.status}`);
  const document: unknown = await answer.json();
  const jwksUri =
    typeof document === 'object' && document !== null && 'jwks_uri' in document ? document.jwks_uri : null;
  if (typeof jwksUri !== 'string') throw new Error(`${url} names no jwks_uri`);
  return createRemoteJWKSet(new URL(jwksUri), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
  });
}
