import { SecretError } from './secret-error.ts';

/**
 * One version of a secret, whose value shows in no log, error or JSON.
 *
 * Take from it what you need at once: when the cache has read another version, or is closed, its bytes are zeroed, and using it
 * throws {@link SecretError} with `SECRET_OUTDATED`. Zeroing is done where we can: what a library copied is beyond our reach.
 */
export class SecretValue {
  /** `projects/P/secrets/S` */
  readonly secret: string;
  /** Its number; the alias that led here may since name another. */
  readonly version: string;
  /** Private to the language: not even `inspect` with hidden fields shows it. */
  readonly #bytes: Buffer;
  #isWiped = false;

  /** @param bytes owned by the value from now on */
  constructor(secret: string, version: string, bytes: Buffer) {
    this.secret = secret;
    this.version = version;
    this.#bytes = bytes;
  }

  /** A copy, which is its taker's to wipe. */
  bytes(): Buffer {
    return Buffer.from(this.#live());
  }

  /** @throws {SecretError} with `SECRET_MALFORMED` when the bytes are no UTF-8 */
  text(): string {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.#live());
    } catch (error) {
      if (error instanceof SecretError) throw error;
      throw new SecretError(`${this} is no UTF-8 text`, {
        code: 'SECRET_MALFORMED',
        remedy: 'Add a version that is text and let the alias name it',
      });
    }
  }

  /** Whether the bytes are these. */
  holds(bytes: Uint8Array): boolean {
    return this.#live().equals(bytes);
  }

  /** Zeroes the bytes; for the cache. */
  wipe(): void {
    this.#isWiped = true;
    this.#bytes.fill(0);
  }

  toString(): string {
    return `Secret ${this.secret} version ${this.version}`;
  }

  toJSON(): string {
    return this.toString();
  }

  #live(): Buffer {
    if (!this.#isWiped) return this.#bytes;
    throw new SecretError(`${this} was used after the cache had let it go`, {
      code: 'SECRET_OUTDATED',
      remedy: 'Read the secret again each time that its value is needed, and keep none',
    });
  }
}
