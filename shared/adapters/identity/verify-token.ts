import { decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { PenstockError } from '../../base/errors.ts';
import { isNamed, type Principal } from '../../model/identity/principal.ts';
import { ClaimError, principalOf } from '../../model/identity/principal-of.ts';
import type { TrustedIssuer } from '../../model/identity/trusted-issuer.ts';
import { IssuerUnavailableError, issuerKeys } from './issuer-keys.ts';

const CLOCK_SKEW_SECONDS = 30;
/** Google's tokens are under 2 KiB, one with two hundred groups under 8 KiB; nothing larger is worth a look. */
const MAX_TOKEN_CHARACTERS = 8_192;
/** Cloud Run puts this where the signature was, when it has checked the token itself. */
const REMOVED_SIGNATURE = '.SIGNATURE_REMOVED_BY_GOOGLE';

/** What a door asks of a token. */
export interface TokenRules {
  readonly issuers: readonly TrustedIssuer[];
  /** The door's own addresses: what tokens must have been made for, unless their issuer has audiences of its own. */
  readonly audiences: readonly string[];
  /** Who may come in, as `isNamed` reads it; empty for anybody of these issuers. */
  readonly callers: readonly string[];
  readonly clock?: () => number;
}

/** The `Authorization` headers of a request, each by itself, as Node's `headersDistinct` gives them. */
export type Authorization = string | readonly string[] | undefined;

/** Verifies what a request carries. */
export type VerifyToken = (authorization: Authorization) => Promise<Principal>;

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
  constructor(name: string) {
    super(`${name} may not call this function`, {
      code: 'FORBIDDEN',
      remedy: 'Name the caller in PENSTOCK_CALLERS, or call as one that is named there',
      retryable: false,
    });
  }
}

/**
 * Makes the check of an OIDC token for one door.
 *
 * @returns a function from the `Authorization` header to who is calling
 * @throws {UnauthenticatedError} from that function, for a missing, forged, expired or misdirected token
 * @throws {ForbiddenError} from that function, for a caller that is not on the list
 * @throws {IssuerUnavailableError} from that function, when the keys cannot be read: the token may be a good one
 */
export function tokenVerifier(rules: TokenRules): VerifyToken {
  const clock = rules.clock ?? Date.now;
  const issuers = new Map(
    rules.issuers.map((trusted) => [trusted.issuer, { trusted, keys: issuerKeys(trusted.issuer, clock) }]),
  );
  return async (authorization) => {
    const token = bearerToken(authorization);
    // Not verified yet: it only says whose keys to ask.
    const named = issuers.get(unverifiedIssuer(token));
    if (named === undefined) throw refused('its issuer is not one that this function trusts');
    const payload = await verified(token, named, { audiences: rules.audiences, nowMs: clock() });
    const principal = principalFrom(payload, named.trusted);
    if (rules.callers.length > 0 && !isNamed(principal, rules.callers)) throw new ForbiddenError(principal.name);
    return principal;
  };
}

function bearerToken(authorization: Authorization): string {
  const headers = typeof authorization === 'string' ? [authorization] : (authorization ?? []);
  // A proxy before us may have looked at another one than we would.
  if (headers.length > 1) throw new UnauthenticatedError(`The request carries ${headers.length} Authorization headers`);
  const header = headers[0] ?? '';
  if (header.length > MAX_TOKEN_CHARACTERS + 'Bearer '.length) {
    const length = header.length - 'Bearer '.length;
    throw new UnauthenticatedError(`The token has ${length} characters, more than ${MAX_TOKEN_CHARACTERS}`);
  }
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw new UnauthenticatedError('The request carries no bearer token');
  if (token.endsWith(REMOVED_SIGNATURE)) {
    throw refused('Cloud Run has taken its signature away: deploy with --no-invoker-iam-check, this door checks it');
  }
  return token;
}

function unverifiedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch (cause) {
    throw refused('it is no JSON Web Token', cause);
  }
}

async function verified(
  token: string,
  { trusted, keys }: { readonly trusted: TrustedIssuer; readonly keys: JWTVerifyGetKey },
  { audiences, nowMs }: { readonly audiences: readonly string[]; readonly nowMs: number },
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, keys, {
    issuer: trusted.issuer,
    audience: [...(trusted.audiences.length > 0 ? trusted.audiences : audiences)],
    algorithms: ['RS256', 'ES256'],
    clockTolerance: CLOCK_SKEW_SECONDS,
    currentDate: new Date(nowMs),
    requiredClaims: ['exp', 'iat', 'aud', 'sub'],
  }).catch((cause: unknown) => {
    if (cause instanceof IssuerUnavailableError) throw cause;
    throw refused(cause instanceof Error ? cause.message : String(cause), cause);
  });
  const { iat = 0, exp = 0 } = payload;
  if (iat > nowMs / 1000 + CLOCK_SKEW_SECONDS) throw refused('its "iat" is in the future');
  if (exp - iat > trusted.maxLifetimeSeconds) {
    throw refused(`it lives ${exp - iat} s, longer than ${trusted.maxLifetimeSeconds} s`);
  }
  return payload;
}

function principalFrom(payload: JWTPayload, trusted: TrustedIssuer): Principal {
  try {
    return principalOf(payload, trusted);
  } catch (error) {
    if (error instanceof ClaimError) throw refused(error.message, error);
    throw error;
  }
}

function refused(why: string, cause?: unknown): UnauthenticatedError {
  return new UnauthenticatedError(`The token was refused: ${why}`, cause);
}
