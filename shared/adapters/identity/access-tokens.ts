import { GoogleAuth } from 'google-auth-library';
import { type Clock, systemClock } from '../../base/clock.ts';
import { holdToken } from '../../base/held-token.ts';

/** An access token of Google's, for services that take it as a bearer token. */
export interface AccessToken {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** The e-mail address of the service account. */
  readonly principal: string;
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
/** What a token lives at least when nothing says how long. */
const LIFETIME_MS = 10 * 60_000;

/**
 * Access tokens of this process' own identity: the metadata server's on Cloud Run, or GOOGLE_APPLICATION_CREDENTIALS.
 *
 * @returns a function that gives the token in hand, or a new one: when that one nears its end, and when `fresh` says that it
 *   was refused
 */
export function openAccessTokens(clock: Clock = systemClock): (fresh: boolean) => Promise<AccessToken> {
  return holdToken(() => askToken(clock), { clock });
}

/** A new client: the old one would give the refused token again. */
async function askToken(clock: Clock): Promise<AccessToken> {
  const auth = new GoogleAuth({ scopes: SCOPE });
  const client = await auth.getClient();
  const { token } = await client.getAccessToken();
  if (!token) throw new Error('No access token could be had for this process’ identity');
  const { client_email: email } = await auth.getCredentials();
  const expiresAtMs = client.credentials.expiry_date ?? clock() + LIFETIME_MS;
  return { value: token, expiresAtMs, principal: email ?? 'unknown' };
}
