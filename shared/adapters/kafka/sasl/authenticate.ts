import type { KafkaAuth } from '../kafka-auth.ts';
import { KafkaAuthError } from '../kafka-errors.ts';
import { scramExchange } from './scram.ts';

/** SASL's separator in OAUTHBEARER messages. Source: RFC 7628. */
const SEPARATOR = '\u0001';

/** One step of the exchange: our bytes to the broker, its bytes back. */
export type SaslStep = (bytes: Buffer) => Promise<Buffer>;

/** An authentication by SASL, whatever its mechanism. */
export type SaslAuth = Exclude<KafkaAuth, { mechanism: 'mtls' }>;

/** The mechanism's name on the wire. */
export function saslMechanism(auth: SaslAuth): string {
  return auth.mechanism.toUpperCase();
}

/**
 * Proves who we are, with credentials that are asked for now.
 *
 * @param fresh true when those given before were refused
 * @throws {KafkaAuthError} when the broker cannot prove that it knows the password, or refuses the token
 */
export async function authenticate(broker: string, auth: SaslAuth, fresh: boolean, step: SaslStep): Promise<void> {
  if (auth.mechanism === 'oauthbearer') {
    const { value } = await auth.token(fresh);
    const refusal = await step(Buffer.from(`n,,${SEPARATOR}auth=Bearer ${value}${SEPARATOR}${SEPARATOR}`));
    if (refusal.length === 0) return;
    // The broker gives its reason and waits for our word before it refuses.
    await step(Buffer.from(SEPARATOR));
    throw new KafkaAuthError(broker, `the token was refused: ${refusal}`);
  }
  const credentials = await auth.credentials(fresh);
  if (auth.mechanism === 'plain') {
    await step(Buffer.from(`\0${credentials.username}\0${credentials.password}`));
    return;
  }
  const scram = scramExchange(auth.mechanism === 'scram-sha-256' ? 'sha256' : 'sha512', credentials);
  const serverFirst = await step(Buffer.from(scram.first));
  try {
    const proof = await scram.prove(serverFirst.toString());
    const serverFinal = await step(Buffer.from(proof));
    scram.verify(serverFinal.toString());
  } catch (error) {
    if (error instanceof KafkaAuthError || !(error instanceof Error)) throw error;
    throw new KafkaAuthError(broker, error.message, error);
  }
}
