import {
  AwsClient,
  type AwsClientOptions,
  BaseExternalAccountClient,
  GoogleAuth,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  IdTokenClient,
  type IdTokenProvider,
} from 'google-auth-library';

/** Fetches `Authorization` headers for calls to other services. */
export interface IdTokens {
  /** @returns `Bearer …`, a token for this audience, from a cache until shortly before it expires */
  authorization(audience: string): Promise<string>;
  /** The e-mail address of our own service account. */
  email(): Promise<string>;
}

/**
 * ID tokens of this process' own identity: the metadata server's on Cloud Run, or GOOGLE_APPLICATION_CREDENTIALS, of which kind it
 * may be, workload identity federation included.
 */
export function openIdTokens(): IdTokens {
  const auth = new GoogleAuth();
  const clients = new Map<string, Promise<IdTokenClient>>();
  return {
    async authorization(audience) {
      let client = clients.get(audience);
      if (!client) {
        client = openClient(auth, audience);
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

/** Google's library gives no ID tokens to a federated identity, though IAM does: it is asked here. */
async function openClient(auth: GoogleAuth, audience: string): Promise<IdTokenClient> {
  const own = await auth.getClient();
  if (!(own instanceof BaseExternalAccountClient)) return await auth.getIdTokenClient(audience);
  return new IdTokenClient({ targetAudience: audience, idTokenProvider: impersonated(own, auth.jsonContent) });
}

/** Asks IAM for tokens of the service account, with the federated token itself: that needs no role more. */
function impersonated(own: BaseExternalAccountClient, config: unknown): IdTokenProvider {
  if (!isFederation(config)) {
    throw new Error('The credentials name no service account to act as: write them with penstock identity wif');
  }
  const { service_account_impersonation_url: url, ...federated } = config;
  const source = own instanceof AwsClient ? new AwsClient(federated) : new IdentityPoolClient(federated);
  source.scopes = 'https://www.googleapis.com/auth/cloud-platform';
  const idTokenUrl = url.replace(/:generateAccessToken$/, ':generateIdToken');
  return {
    async fetchIdToken(audience) {
      const data = { audience, includeEmail: true };
      const answer = await source.request<{ token?: string }>({ url: idTokenUrl, method: 'POST', data });
      if (!answer.data.token) throw new Error(`${idTokenUrl} answered without a token`);
      return answer.data.token;
    },
  };
}

type FederationConfig = AwsClientOptions & IdentityPoolClientOptions & { service_account_impersonation_url: string };

/** The library has read it: that it is an external account with somebody to act as is all that is asked. */
function isFederation(config: unknown): config is FederationConfig {
  return typeof config === 'object' && config !== null && 'service_account_impersonation_url' in config;
}
