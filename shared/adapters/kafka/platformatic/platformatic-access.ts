import { isIP } from 'node:net';
import type { BaseOptions, SASLMechanismValue, SASLOptions } from '@platformatic/kafka';
import type { KafkaAccess, UserPassword } from '../kafka-auth.ts';
import { type SaslAuth, saslMechanism } from '../sasl/authenticate.ts';
import { brokerAddress } from '../wire/open-socket.ts';

/**
 * Tells @platformatic/kafka how brokers are spoken to. It asks for a name and a password apart from each other, at each
 * connection; a client's certificate is asked for now, and again for each new client.
 */
export async function platformaticAccess({
  brokers,
  tls,
  auth,
}: KafkaAccess): Promise<Pick<BaseOptions, 'bootstrapBrokers' | 'tls' | 'tlsServerName' | 'sasl'>> {
  const certificate = auth?.mechanism === 'mtls' ? await auth.certificate(false) : undefined;
  const secure = tls && { minVersion: 'TLSv1.2' as const, rejectUnauthorized: true, ...tls, ...certificate };
  const sasl = auth && auth.mechanism !== 'mtls' ? saslOf(auth) : undefined;
  return {
    bootstrapBrokers: [...brokers],
    ...(secure
      ? { tls: secure, tlsServerName: brokers.every((broker) => isIP(brokerAddress(broker).host) === 0) }
      : {}),
    ...(sasl ? { sasl } : {}),
  };
}

function saslOf(auth: SaslAuth): SASLOptions {
  const mechanism = mechanismOf(auth);
  if (auth.mechanism === 'oauthbearer') return { mechanism, token: async () => (await auth.token(false)).value };
  let asked: Promise<UserPassword> | undefined;
  return {
    mechanism,
    username: async () => {
      asked = auth.credentials(false);
      return (await asked).username;
    },
    // The password belongs to the name that was asked for just before.
    password: async () => (await (asked ?? auth.credentials(false))).password,
  };
}

function mechanismOf(auth: SaslAuth): SASLMechanismValue {
  const name = saslMechanism(auth);
  if (name === 'PLAIN' || name === 'SCRAM-SHA-256' || name === 'SCRAM-SHA-512' || name === 'OAUTHBEARER') return name;
  throw new RangeError(`@platformatic/kafka has no mechanism ${name}`);
}
