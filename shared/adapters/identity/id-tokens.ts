import {
  AwsClient,
  type AwsClientOptions,
  BaseExternalAccountClient,
  GoogleAuth,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  type IdTokenProvider,
} from 'google-auth-library';
import { decodeJwt } from 'jose';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type Expiring, holdToken } from '../../base/held-token.ts';

/** Fetches `Authorization` headers for calls to other services. */
export interface IdTokens {
  /** @returns `Bearer …`, a token for this audience that lives for a minute at least, from a cache until shortly before its end */
  authorization(audience: string): Promise<string>;
  /** The e-mail address of our own service account. */
  email(): Promise<string>;
}

/**
 * ID tokens of this process' own identity: the metadata server's on Cloud Run, or GOOGLE_APPLICATION_CREDENTIALS, of which kind it
 * may be, workload identity federation included.
 */
export function openIdTokens(clock: Clock = systemClock): IdTokens {
  const auth = new GoogleAuth();
  const held = new Map<string, (fresh: boolean) => Promise<Header>>();
  return {
    async authorization(audience) {
      let tokens = held.get(audience);
      if (tokens === undefined) {
        tokens = holdToken(() => askHeader(auth, audience), { clock });
        held.set(audience, tokens);
      }
      return (await tokens(false)).value;
    },
    async email() {
      const { client_email: email } = await auth.getCredentials();
      return email ?? 'unknown';
    },
  };
}

interface Header extends Expiring {
  readonly value: string;
}

async function askHeader(auth: GoogleAuth, audience: string): Promise<Header> {
  const token = await (await providerOf(auth, audience)).fetchIdToken(audience);
  const { exp } = decodeJwt(token);
  if (exp === undefined) throw new Error(`The ID token for audience ${audience} does not say when it expires`);
  return { value: `Bearer ${token}`, expiresAtMs: exp * 1000 };
}

/** Google's library gives no ID tokens to a federated identity, though IAM does: it is asked here. */
async function providerOf(auth: GoogleAuth, audience: string): Promise<IdTokenProvider> {
  const own = await auth.getClient();
  if (own instanceof BaseExternalAccountClient) return impersonated(own, auth.jsonContent);
  return (await auth.getIdTokenClient(audience)).idTokenProvider;
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
