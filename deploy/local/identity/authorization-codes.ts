import { createHash, randomBytes } from 'node:crypto';
import type { Person } from './people.ts';

const CODE_MS = 60_000;
const MAX_CODES = 1_000;

/** What a client asks for when it sends a person to sign in. Source: RFC 6749, section 4.1.1, and RFC 7636. */
export interface AuthorizationRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** SHA-256 of the verifier, in base64url. */
  readonly challenge: string;
}

/** Codes that were given out: each is good once, for a minute, for who began the sign-in. */
export interface AuthorizationCodes {
  give(request: AuthorizationRequest, person: Person): string;
  /** @returns undefined unless everything fits; the code is spent either way */
  redeem(code: string, by: { clientId: string; redirectUri: string; verifier: string }): Redeemed | undefined;
}

export interface Redeemed {
  readonly person: Person;
  readonly nonce: string;
}

export function authorizationCodes(now: () => number): AuthorizationCodes {
  const given = new Map<string, { request: AuthorizationRequest; person: Person; expiresAtMs: number }>();
  return {
    give(request, person) {
      const code = randomBytes(32).toString('base64url');
      given.set(code, { request, person, expiresAtMs: now() + CODE_MS });
      const [oldest] = given.keys();
      if (given.size > MAX_CODES && oldest !== undefined) given.delete(oldest);
      return code;
    },
    redeem(code, { clientId, redirectUri, verifier }) {
      const found = given.get(code);
      given.delete(code);
      if (!found || now() >= found.expiresAtMs) return undefined;
      const { request, person } = found;
      const isSame = request.clientId === clientId && request.redirectUri === redirectUri;
      const challenge = createHash('sha256').update(verifier).digest('base64url');
      return isSame && request.challenge === challenge ? { person, nonce: request.nonce } : undefined;
    },
  };
}

/** @returns what is wrong, for the person at the laptop, instead of a request */
export function readAuthorizationRequest(query: Readonly<Record<string, string>>): AuthorizationRequest | string {
  const { client_id: clientId = '', redirect_uri: redirectUri = '', state = '', nonce = '' } = query;
  const challenge = query.code_challenge ?? '';
  if (query.response_type !== 'code') return 'response_type must be code';
  if (clientId === '') return 'client_id is missing';
  if (!URL.canParse(redirectUri)) return 'redirect_uri is missing';
  const { protocol, hostname } = new URL(redirectUri);
  const isLocal = hostname === '127.0.0.1' || hostname === 'localhost' || hostname.endsWith('.localhost');
  if (!isLocal || !/^https?:$/.test(protocol)) return `redirect_uri leads to ${hostname}, which is not this laptop`;
  if (query.code_challenge_method !== 'S256' || !/^[\w-]{43}$/.test(challenge)) return 'PKCE with S256 is needed';
  return { clientId, redirectUri, state, nonce, challenge };
}
