import { GoogleAuth, type IdTokenClient } from 'google-auth-library';

/** Fetches `Authorization` headers for calls to other services. */
export interface IdTokens {
  /** @returns `Bearer …`, a token for this audience, from a cache until shortly before it expires */
  authorization(audience: string): Promise<string>;
  /** The e-mail address of our own service account. */
  email(): Promise<string>;
}

/** ID tokens of this process' own identity: the metadata server's on Cloud Run, or GOOGLE_APPLICATION_CREDENTIALS. */
export function openIdTokens(): IdTokens {
  const auth = new GoogleAuth();
  const clients = new Map<string, Promise<IdTokenClient>>();
  return {
    async authorization(audience) {
      let client = clients.get(audience);
      if (!client) {
        client = auth.getIdTokenClient(audience);
        client.catch(() => clients.delete(audience));
        clients.set(audience, client);
      }
      const headers = await (await client).getRequestHeaders(audience);
      const header = headers.get('authorization');
      if (header === null) throw new Error(`No ID token could be had for audience ${audience}`);
      return header;
    },
    async email() {
      const { client_email: email } = await auth.getCredentials();
      return email ?? 'unknown';
    },
  };
}
