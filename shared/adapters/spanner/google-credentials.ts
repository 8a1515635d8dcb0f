import type { OutgoingHttpHeaders } from 'node:http2';

const SCOPE = 'https://www.googleapis.com/auth/spanner.data';

/**
 * Headers that name the identity which this process runs under; its access token is renewed before it expires.
 *
 * The library is loaded at the first call: whoever talks to the laptop's Spanner needs none of it.
 */
export function googleCredentials(audience: string): () => Promise<OutgoingHttpHeaders> {
  let auth: ReturnType<typeof openAuth> | undefined;
  return async () => {
    auth ??= openAuth();
    return Object.fromEntries(await (await auth).getRequestHeaders(audience));
  };
}

async function openAuth() {
  const { GoogleAuth } = await import('google-auth-library');
  return new GoogleAuth({ scopes: [SCOPE] });
}
