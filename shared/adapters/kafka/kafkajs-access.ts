import type { AuthenticationProviderArgs, KafkaConfig, Mechanism } from 'kafkajs';
import type { KafkaAccess } from './kafka-auth.ts';
import { authenticate, type SaslAuth, saslMechanism } from './sasl/authenticate.ts';

/**
 * Tells kafkajs how brokers are spoken to. SASL's messages are ours, not its own: they verify what the broker answers, and ask
 * for credentials at each connection. A client's certificate is asked for now, and again for each new client.
 */
export async function kafkajsAccess({
  brokers,
  tls,
  auth,
}: KafkaAccess): Promise<Pick<KafkaConfig, 'ssl' | 'sasl'> & { brokers: string[] }> {
  const certificate = auth?.mechanism === 'mtls' ? await auth.certificate(false) : undefined;
  const ssl = tls && { minVersion: 'TLSv1.2' as const, rejectUnauthorized: true, ...tls, ...certificate };
  const sasl = auth && auth.mechanism !== 'mtls' ? saslOf(auth) : undefined;
  return { brokers: [...brokers], ...(ssl ? { ssl } : {}), ...(sasl ? { sasl } : {}) };
}

function saslOf(auth: SaslAuth): Mechanism {
  let wasRefused = false;
  return {
    mechanism: saslMechanism(auth),
    authenticationProvider: ({ host, port, saslAuthenticate }) => ({
      async authenticate() {
        try {
          await authenticate(`${host}:${port}`, auth, wasRefused, (bytes) => stepOf(saslAuthenticate, bytes));
          wasRefused = false;
        } catch (error) {
          wasRefused = true;
          throw error;
        }
      },
    }),
  };
}

async function stepOf(send: AuthenticationProviderArgs['saslAuthenticate'], bytes: Buffer): Promise<Buffer> {
  // On the wire the bytes of a step follow their length, both ways.
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  const answer = await send<Buffer>({
    request: { encode: async () => Buffer.concat([length, bytes]) },
    response: { decode: async (raw) => raw.subarray(4), parse: (data) => data },
  });
  return answer ?? Buffer.alloc(0);
}
