import type { ConnectionOptions } from 'node:tls';
import { Admin, ProduceAcks, Producer, stringSerializers } from '@platformatic/kafka';
import { Kafka, logLevel, type SASLOptions } from 'kafkajs';
import type { SaslMechanism } from '../../../../../deploy/local/kafka/sasl/mechanism.ts';

/** What a client shows to a listener. */
export interface Login {
  readonly mechanism: SaslMechanism;
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
}

/** One produce through a listener; rejects when the client could not come in. */
export type ProduceThrough = (options: {
  address: string;
  topic: string;
  login?: Login;
  tls?: ConnectionOptions;
}) => Promise<void>;

const TIMEOUT_MS = 2000;

/** kafkajs, told to try once. */
export const throughKafkajs: ProduceThrough = async ({ address, topic, login, tls }) => {
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    connectionTimeout: TIMEOUT_MS,
    retry: { retries: 0 },
    ...(login ? { sasl: kafkajsLogin(login) } : {}),
    ...(tls ? { ssl: tls } : {}),
  });
  const producer = kafka.producer();
  try {
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'through kafkajs' }] });
  } finally {
    await producer.disconnect();
  }
};

/** @platformatic/kafka, told to try once. */
export const throughPlatformatic: ProduceThrough = async ({ address, topic, login, tls }) => {
  const options = { clientId: 'test', bootstrapBrokers: [address], retries: 0, connectTimeout: TIMEOUT_MS };
  const producer = new Producer({
    ...options,
    serializers: stringSerializers,
    acks: ProduceAcks.ALL,
    ...(login ? { sasl: login } : {}),
    ...(tls ? { tls } : {}),
  });
  try {
    await producer.send({ messages: [{ topic, value: 'through platformatic' }] });
  } finally {
    await producer.close();
  }
};

/** An administrator on a listener without authentication. */
export function openAdmin(address: string): Admin {
  return new Admin({ clientId: 'test', bootstrapBrokers: [address], retries: 0 });
}

/** Every message in an error, its causes, the errors that it gathers, and the broker's own words in it. */
export function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const gathered = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  const said = 'serverErrorMessage' in error ? error.serverErrorMessage : undefined;
  return [error.message, ...[said, error.cause, ...gathered].map((inner) => (inner ? messagesOf(inner) : ''))].join(
    '\n',
  );
}

function kafkajsLogin({ mechanism, username = '', password = '', token = '' }: Login): SASLOptions {
  if (mechanism === 'PLAIN') return { mechanism: 'plain', username, password };
  if (mechanism === 'SCRAM-SHA-256') return { mechanism: 'scram-sha-256', username, password };
  if (mechanism === 'SCRAM-SHA-512') return { mechanism: 'scram-sha-512', username, password };
  return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: token }) };
}
