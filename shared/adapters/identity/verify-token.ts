import { createHash } from 'node:crypto';
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { type KnownCaller, type RefusalReason, RefusedError } from '../../base/refused-error.ts';
import { isNamed, type Principal, qualifiedName } from '../../model/identity/principal.ts';
import { ClaimError, principalOf } from '../../model/identity/principal-of.ts';
import type { TrustedIssuer } from '../../model/identity/trusted-issuer.ts';
import { IssuerUnavailableError, issuerKeys } from './issuer-keys.ts';

const CLOCK_SKEW_SECONDS = 30;
/** Google's tokens are under 2 KiB, one with two hundred groups under 8 KiB; nothing larger is worth a look. */
const MAX_TOKEN_CHARACTERS = 8_192;
/** 96 bits: no two tokens have the same. */
const TOKEN_ID_CHARACTERS = 16;
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
export class UnauthenticatedError extends RefusedError {
  /** @param known.caller whom the token names, where its signature was verified */
  constructor(
    reason: RefusalReason,
    message: string,
    known: { readonly caller?: KnownCaller | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, {
      code: 'UNAUTHENTICATED',
      remedy: "Send a bearer token from the configured issuer, made for this function's audience",
      reason,
      ...known,
    });
  }
}

/** The token is genuine, but its owner may not do this. */
export class ForbiddenError extends RefusedError {
  constructor(caller: KnownCaller) {
    super(`${caller.name} may not call this function`, {
      code: 'FORBIDDEN',
      remedy: 'Name the caller in PENSTOCK_CALLERS, or call as one that is named there',
      reason: 'caller not on the list',
      caller,
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
    if (named === undefined) throw refused('issuer not trusted', 'its issuer is not one that this function trusts');
    const payload = await verified(token, named, { audiences: rules.audiences, nowMs: clock() });
    const principal = principalFrom(payload, named.trusted);
    if (rules.callers.length > 0 && !isNamed(principal, rules.callers)) throw new ForbiddenError(principal);
    return { ...principal, tokenId: tokenIdOf(token) };
  };
}

/** Of a token that holds a signature, which nobody can guess: what it was cannot be found by trying. */
function tokenIdOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, TOKEN_ID_CHARACTERS);
}

function bearerToken(authorization: Authorization): string {
  const headers = typeof authorization === 'string' ? [authorization] : (authorization ?? []);
  // A proxy before us may have looked at another one than we would.
  if (headers.length > 1) {
    const message = `The request carries ${headers.length} Authorization headers`;
    throw new UnauthenticatedError('several Authorization headers', message);
  }
  const header = headers[0] ?? '';
  if (header.length > MAX_TOKEN_CHARACTERS + 'Bearer '.length) {
    const length = header.length - 'Bearer '.length;
    const message = `The token has ${length} characters, more than ${MAX_TOKEN_CHARACTERS}`;
    throw new UnauthenticatedError('token too long', message);
  }
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) {
    throw new UnauthenticatedError('no bearer token', 'The request carries no bearer token');
  }
  if (token.endsWith(REMOVED_SIGNATURE)) {
    throw refused(
      'signature taken away',
      'Cloud Run has taken its signature away: deploy with --no-invoker-iam-check, this door checks it',
    );
  }
  return token;
}

function unverifiedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? '';
  } catch (cause) {
    throw refused('no JSON Web Token', 'it is no JSON Web Token', { cause });
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
    throw refused(reasonOf(cause), cause instanceof Error ? cause.message : String(cause), {
      cause,
      // It looks at claims once the signature holds, not before.
      caller: isOfClaims(cause) ? callerOf(cause.payload, trusted) : undefined,
    });
  });
  const { iat = 0, exp = 0 } = payload;
  if (iat > nowMs / 1000 + CLOCK_SKEW_SECONDS) {
    throw refused('not valid yet', 'its "iat" is in the future', { caller: callerOf(payload, trusted) });
  }
  if (exp - iat > trusted.maxLifetimeSeconds) {
    const why = `it lives ${exp - iat} s, longer than ${trusted.maxLifetimeSeconds} s`;
    throw refused('valid for too long', why, { caller: callerOf(payload, trusted) });
  }
  return payload;
}

function isOfClaims(cause: unknown): cause is errors.JWTExpired | errors.JWTClaimValidationFailed {
  return cause instanceof errors.JWTExpired || cause instanceof errors.JWTClaimValidationFailed;
}

function reasonOf(cause: unknown): RefusalReason {
  if (cause instanceof errors.JWTExpired) return 'expired';
  if (cause instanceof errors.JWTClaimValidationFailed) {
    if (cause.claim === 'aud') return 'made for another audience';
    return cause.claim === 'nbf' ? 'not valid yet' : 'claims that are not taken';
  }
  const isMalformed = cause instanceof errors.JWSInvalid || cause instanceof errors.JWTInvalid;
  return isMalformed ? 'no JSON Web Token' : 'not signed by its issuer';
}

/** Whom a token names that is refused for another reason: by the name that it would have here, or its bare subject. */
function callerOf(payload: JWTPayload, trusted: TrustedIssuer): KnownCaller {
  try {
    return principalOf(payload, trusted);
  } catch {
    const { issuer } = trusted;
    const subject = typeof payload.sub === 'string' ? payload.sub : '';
    return { issuer, subject, name: qualifiedName({ issuer, subject }) };
  }
}

function principalFrom(payload: JWTPayload, trusted: TrustedIssuer): Principal {
  try {
    return principalOf(payload, trusted);
  } catch (error) {
    if (error instanceof ClaimError) {
      throw refused('claims that are not taken', error.message, { cause: error, caller: callerOf(payload, trusted) });
    }
    throw error;
  }
}

function refused(
  reason: RefusalReason,
  why: string,
  known?: { readonly caller?: KnownCaller | undefined; readonly cause?: unknown },
): UnauthenticatedError {
  return new UnauthenticatedError(reason, `The token was refused: ${why}`, known);
}
