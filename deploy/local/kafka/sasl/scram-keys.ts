import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** Fewer are refused, as in Kafka. */
export const MIN_ITERATIONS = 4096;
/** More would keep clients busy for long. */
export const MAX_ITERATIONS = 16_384;
const SALT_BYTES = 16;

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

/** What is kept of a password: enough to verify it, not enough to log in with. Source: RFC 5802, section 3. */
export interface ScramKeys {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

const digests = {
  'SCRAM-SHA-256': { algorithm: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { algorithm: 'sha512', bytes: 64 },
} as const;
const stretch = promisify(pbkdf2);

/** Bytes of a mechanism's digest, and so of a salted password. */
export function digestBytes(mechanism: ScramMechanism): number {
  return digests[mechanism].bytes;
}

/** Salts a password; as in Kafka's clients its UTF-8 is taken as it is, without SASLprep. */
export function saltPassword(
  mechanism: ScramMechanism,
  password: string,
  { salt, iterations }: { salt: Buffer; iterations: number },
): Promise<Buffer> {
  const { algorithm, bytes } = digests[mechanism];
  return stretch(Buffer.from(password, 'utf8'), salt, iterations, bytes, algorithm);
}

/** The keys of a password that a client has salted. */
export function keysOfSalted(
  mechanism: ScramMechanism,
  { salt, iterations, saltedPassword }: { salt: Buffer; iterations: number; saltedPassword: Buffer },
): ScramKeys {
  const clientKey = hmac(mechanism, saltedPassword, 'Client Key');
  return {
    // Copies: what a request holds is a view into its frame.
    salt: Buffer.from(salt),
    iterations,
    storedKey: hash(mechanism, clientKey),
    serverKey: hmac(mechanism, saltedPassword, 'Server Key'),
  };
}

/** The keys of a password, under a new salt. */
export async function keysOfPassword(mechanism: ScramMechanism, password: string): Promise<ScramKeys> {
  const salted = { salt: randomBytes(SALT_BYTES), iterations: MIN_ITERATIONS };
  return keysOfSalted(mechanism, { ...salted, saltedPassword: await saltPassword(mechanism, password, salted) });
}

export function hash(mechanism: ScramMechanism, bytes: Buffer): Buffer {
  return createHash(digests[mechanism].algorithm).update(bytes).digest();
}

export function hmac(mechanism: ScramMechanism, key: Buffer, text: string): Buffer {
  return createHmac(digests[mechanism].algorithm, key).update(text, 'utf8').digest();
}
