import { GoogleAuth } from 'google-auth-library';

/** An access token of Google's, for services that take it as a bearer token. */
export interface AccessToken {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** The e-mail address of the service account. */
  readonly principal: string;
}

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
/** A token is replaced before it is this close to its end. */
const MARGIN_MS = 5 * 60_000;
/** What a token lives at least when nothing says how long. */
const LIFETIME_MS = 10 * 60_000;

/**
 * Access tokens of this process' own identity: the metadata server's on Cloud Run, or GOOGLE_APPLICATION_CREDENTIALS.
 *
 * @returns a function that gives the token in hand, or a new one: when that one nears its end, and when `fresh` says that it
 *   was refused
 */
export function openAccessTokens(clock: () => number = Date.now): (fresh: boolean) => Promise<AccessToken> {
  let held: Promise<AccessToken> | undefined;
  let endsAtMs = 0;
  return async (fresh) => {
    if (held && !fresh && clock() < endsAtMs - MARGIN_MS) return held;
    const asked = askToken(clock);
    held = asked;
    endsAtMs = Number.POSITIVE_INFINITY;
    try {
      const token = await asked;
      if (held === asked) endsAtMs = token.expiresAtMs;
      return token;
    } catch (error) {
      if (held === asked) held = undefined;
      throw error;
    }
  };
}

/** A new client: the old one would give the refused token again. */
async function askToken(clock: () => number): Promise<AccessToken> {
  const auth = new GoogleAuth({ scopes: SCOPE });
  const client = await auth.getClient();
  const { token } = await client.getAccessToken();
  if (!token) throw new Error('No access token could be had for this process’ identity');
  const { client_email: email } = await auth.getCredentials();
  const expiresAtMs = client.credentials.expiry_date ?? clock() + LIFETIME_MS;
  return { value: token, expiresAtMs, principal: email ?? 'unknown' };
}
