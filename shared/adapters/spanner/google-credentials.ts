import type { OutgoingHttpHeaders } from 'node:http2';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Expiring, holdToken } from '../../base/held-token.ts';

const SCOPE = 'https://www.googleapis.com/auth/spanner.data';
/** Of a token that does not say how long it lives: those that a key signs live an hour. */
const LIFETIME_MS = 10 * 60_000;

interface Headers extends Expiring {
  readonly sent: OutgoingHttpHeaders;
}

/**
 * Headers that name the identity which this process runs under; its access token is renewed before it expires.
 *
 * The library is loaded at the first call: whoever talks to the laptop's Spanner needs none of it.
 */
export function googleCredentials(audience: string, clock: Clock = systemClock): () => Promise<OutgoingHttpHeaders> {
  const headers = holdToken(() => askHeaders(audience, clock), { clock });
  return async () => (await headers(false)).sent;
}

async function askHeaders(audience: string, clock: Clock): Promise<Headers> {
  const { GoogleAuth } = await import('google-auth-library');
  const client = await new GoogleAuth({ scopes: [SCOPE] }).getClient();
  const sent = Object.fromEntries(await client.getRequestHeaders(audience));
  return { sent, expiresAtMs: client.credentials.expiry_date ?? clock() + LIFETIME_MS };
}
