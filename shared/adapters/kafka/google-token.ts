import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { holdToken } from '../../base/held-token.ts';
import type { BearerToken } from './kafka-auth.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
const HEADER = { typ: 'JWT', alg: 'GOOG_OAUTH2_TOKEN' };
/** What is assumed of a token that does not say when it expires: it is asked for again before. */
const DEFAULT_LIFETIME_MS = 10 * 60 * 1000;

/** An access token of Google's and whom it is for. */
export interface GoogleAccess {
  readonly accessToken: string;
  readonly expiresAtMs: number;
  /** A service account's e-mail. */
  readonly principal: string;
}

/**
 * Wraps an access token as Google's Managed Service for Apache Kafka wants it: it refuses a bare one.
 *
 * Source: cloud.google.com/managed-service-for-apache-kafka/docs/authentication-kafka.
 */
export function managedKafkaToken({ accessToken, expiresAtMs, principal }: GoogleAccess, nowMs: number): BearerToken {
  const claims = {
    exp: Math.floor(expiresAtMs / 1000),
    iat: Math.floor(nowMs / 1000),
    iss: 'Google',
    scope: 'kafka',
    sub: principal,
  };
  const parts = [JSON.stringify(HEADER), JSON.stringify(claims), accessToken];
  const value = parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
  return { value, expiresAtMs, principal };
}

/**
 * Tokens of this process' own service account for Google's Managed Kafka: the metadata server's on Cloud Run, else by
 * application default credentials. Each is kept until shortly before it expires, or until it is refused.
 *
 * @param options.principal whom the token names; our own service account unless given
 */
export function openManagedKafkaTokens(
  options: { readonly principal?: string; readonly now?: Clock } = {},
): (fresh: boolean) => Promise<BearerToken> {
  const { principal, now = systemClock } = options;
  return holdToken(async () => managedKafkaToken(await askAccess(principal, now), now()), { clock: now });
}

/** By a library of its own each time: what was refused is not offered again from its memory. */
async function askAccess(given: string | undefined, now: Clock): Promise<GoogleAccess> {
  const { GoogleAuth } = await import('google-auth-library');
  const google = new GoogleAuth({ scopes: [SCOPE] });
  const client = await google.getClient();
  const { token } = await client.getAccessToken();
  if (!token) throw new Error('Google gave no access token: look at the application default credentials');
  const principal = given ?? (await google.getCredentials()).client_email;
  if (!principal) throw new Error('Whom the access token is for is unknown: set the principal');
  const expiresAtMs = client.credentials.expiry_date ?? now() + DEFAULT_LIFETIME_MS;
  return { accessToken: token, expiresAtMs, principal };
}
