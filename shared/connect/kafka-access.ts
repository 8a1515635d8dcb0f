import { openManagedKafkaTokens } from '../adapters/kafka/google-token.ts';
import type { BearerToken, ClientCertificate, KafkaAccess } from '../adapters/kafka/kafka-auth.ts';
import type { SecretCache } from '../adapters/secrets/open-secret-cache.ts';
import { readBrokers, readKeyAndCertificate, readUserAndPassword } from '../adapters/secrets/read-credentials.ts';
import type { KafkaConnection } from '../model/config/declaration.ts';

/** Where the credentials of connections come from. */
export interface CredentialSources {
  readonly secrets: SecretCache;
  /** Access tokens of this process' own identity. */
  readonly googleToken: (fresh: boolean) => Promise<BearerToken>;
}

/**
 * How the declared brokers are reached: secrets are read when a connection is made, and anew when a broker refused them.
 *
 * @throws {SecretError} when the secret with the brokers, or with the authorities to trust, cannot be read
 */
export async function kafkaAccess(kafka: KafkaConnection, sources: CredentialSources): Promise<KafkaAccess> {
  const { brokersSecret, tls, caSecret } = kafka;
  const named = brokersSecret === undefined ? kafka.brokers : readBrokers(await sources.secrets.read(brokersSecret));
  const ca = caSecret === undefined ? {} : { ca: (await sources.secrets.read(caSecret)).text() };
  return { brokers: named, tls: tls ? ca : undefined, auth: authOf(kafka.auth, sources.secrets) };
}

function authOf(auth: KafkaConnection['auth'], secrets: SecretCache): KafkaAccess['auth'] {
  if (!auth) return undefined;
  const { mechanism } = auth;
  if (mechanism === 'oauthbearer') return { mechanism, token: openManagedKafkaTokens() };
  const { secret } = auth;
  if (mechanism === 'mtls') {
    const certificate = async (fresh: boolean): Promise<ClientCertificate> => {
      // Spreading what was read would leave the key behind: it shows in nothing that is copied.
      const { key, cert } = readKeyAndCertificate(await secrets.read(secret, { fresh }));
      return { key, cert };
    };
    return { mechanism, certificate };
  }
  return { mechanism, credentials: async (fresh) => readUserAndPassword(await secrets.read(secret, { fresh })) };
}
