import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { UserPassword } from '../kafka-auth.ts';

const derive = promisify(pbkdf2);

const NONCE_BYTES = 24;
/** Fewer make a stolen exchange cheap to guess from: RFC 7677 demands as many. */
const MIN_ITERATIONS = 4_096;
/** More is no password's protection but an attempt to keep us busy; Kafka itself allows 16,384. */
const MAX_ITERATIONS = 1_000_000;
/** No channel binding: `n,,` in base64. */
const GS2_HEADER = 'n,,';
const CHANNEL = `c=${Buffer.from(GS2_HEADER).toString('base64')}`;

/** The client's side of one SCRAM exchange. */
export interface ScramExchange {
  /** What the client says first. */
  readonly first: string;
  /**
   * Proves that we know the password.
   *
   * @throws {Error} when the server's salt, nonce or iteration count cannot be honest
   */
  prove(serverFirst: string): Promise<string>;
  /** @throws {Error} when the server cannot prove that it knows the password's keys */
  verify(serverFinal: string): void;
}

/**
 * Begins an exchange in which both sides prove that they know the password, and neither sends it.
 *
 * Sources: RFC 5802, RFC 7677; KIP-84.
 *
 * @param nonce the client's; random unless given
 */
export function scramExchange(
  hash: 'sha256' | 'sha512',
  { username, password }: UserPassword,
  nonce = randomBytes(NONCE_BYTES).toString('base64'),
): ScramExchange {
  const bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  const hmac = (key: Uint8Array, text: string): Buffer => createHmac(hash, key).update(text).digest();
  let wanted: Buffer | undefined;
  return {
    first: `${GS2_HEADER}${bare}`,
    async prove(serverFirst) {
      const { r: fullNonce = '', s: salt = '', i = '' } = attributesOf(serverFirst);
      if (!fullNonce.startsWith(nonce) || fullNonce.length === nonce.length) {
        throw new Error('the server did not add to our nonce');
      }
      const iterations = /^\d{1,9}$/.test(i) ? Number(i) : 0;
      if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
        throw new Error(`the server asks for ${i} iterations, not ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`);
      }
      const saltBytes = Buffer.from(salt, 'base64');
      if (saltBytes.length === 0) throw new Error('the server gave no salt');
      const length = createHash(hash).digest().length;
      const salted = await derive(Buffer.from(password), saltBytes, iterations, length, hash);
      const withoutProof = `${CHANNEL},r=${fullNonce}`;
      const auth = `${bare},${serverFirst},${withoutProof}`;
      const clientKey = hmac(salted, 'Client Key');
      const signature = hmac(createHash(hash).update(clientKey).digest(), auth);
      wanted = hmac(hmac(salted, 'Server Key'), auth);
      return `${withoutProof},p=${xor(clientKey, signature).toString('base64')}`;
    },
    verify(serverFinal) {
      const { v, e } = attributesOf(serverFinal);
      if (e !== undefined) throw new Error(`the server refused: ${e}`);
      const given = Buffer.from(v ?? '', 'base64');
      if (!wanted || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
        throw new Error('the server did not prove that it knows the password');
      }
    },
  };
}

function attributesOf(message: string): Readonly<Record<string, string | undefined>> {
  const parts = message.split(',').filter((part) => part[1] === '=');
  return Object.fromEntries(parts.map((part) => [part[0], part.slice(2)]));
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, at) => byte ^ (b[at] ?? 0)));
}
