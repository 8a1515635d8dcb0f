import { createHmac, timingSafeEqual } from 'node:crypto';

/** Browsers keep cookies of up to 4,096 bytes, name and attributes included. */
const MAX_COOKIE_CHARACTERS = 3_800;

/** Puts values into cookies that nobody but us can have written. They are signed, not secret: their owner may read them. */
export interface CookieSeal {
  /**
   * @param purpose so that one kind of cookie is never taken for another
   * @throws {RangeError} when the value is too large for a cookie
   */
  seal(purpose: string, value: object, expiresAtMs: number): string;
  /** @returns undefined for what was not sealed by us for this purpose, or is past its time */
  open(purpose: string, sealed: string | undefined, nowMs: number): unknown;
  /** A text that only who can read this cookie's page knows: it goes into forms. */
  formToken(sealed: string): string;
}

/** @param key at least 32 bytes, the same in every instance that serves the page */
export function cookieSeal(key: Uint8Array): CookieSeal {
  if (key.length < 32) throw new RangeError(`The session key has ${key.length} bytes: 32 are the least`);
  const sign = (purpose: string, text: string): string =>
    createHmac('sha256', key).update(`${purpose}\n${text}`).digest('base64url');
  return {
    seal(purpose, value, expiresAtMs) {
      const text = Buffer.from(JSON.stringify({ value, expiresAtMs })).toString('base64url');
      const sealed = `${text}.${sign(purpose, text)}`;
      if (sealed.length > MAX_COOKIE_CHARACTERS) {
        throw new RangeError(`A cookie would have ${sealed.length} characters, more than ${MAX_COOKIE_CHARACTERS}`);
      }
      return sealed;
    },
    open(purpose, sealed, nowMs) {
      const [text = '', signature = '', more] = (sealed ?? '').split('.');
      if (more !== undefined || !isSame(signature, sign(purpose, text))) return undefined;
      const { value, expiresAtMs } = JSON.parse(Buffer.from(text, 'base64url').toString());
      return nowMs < expiresAtMs ? value : undefined;
    },
    formToken: (sealed) => sign('form', sealed),
  };
}

/** Compares in a time that says nothing of where two texts differ. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
