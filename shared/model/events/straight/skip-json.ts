import { DECIMAL, FALSE, INTEGER, MISSING, NULL, OTHER, STRING, TRUE } from './value-kind.ts';

/** What is nested deeper is left to the general path. */
const MAX_DEPTH = 96;

/** Signs that end the plain part of a string: a quote, a backslash, a control character. */
const ENDS_PLAIN = new Uint8Array(256);
ENDS_PLAIN.fill(1, 0, 0x20);
ENDS_PLAIN[0x22] = 1;
ENDS_PLAIN[0x5c] = 1;

/** What may stand after a backslash; `u` takes four more. Source: RFC 8259, section 7. */
const MAY_BE_ESCAPED = new Uint8Array(256);
for (const sign of '"\\/bfnrt') MAY_BE_ESCAPED[sign.charCodeAt(0)] = 1;

/** The first place from `from` on where no white space stands. */
export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    at++;
  }
  return at;
}

/**
 * Finds the ends of JSON values by the grammar of RFC 8259, as strictly as `JSON.parse`.
 *
 * UTF-8 is not checked: `high` tells whether there is any to check.
 */
export class JsonSkipper {
  /** The kind of the last value. */
  kind = MISSING;
  /** All bytes of strings so far, or-ed: 128 and more where one is not ASCII. */
  high = 0;

  /** @returns the place after the value that begins at `from`; -1 where none does, or one that is nested too deeply */
  value(bytes: Uint8Array, from: number, depth = 0): number {
    const first = bytes[from] ?? 0;
    if (first === 0x22) return this.string(bytes, from + 1);
    if (first === 0x2d || (first >= 0x30 && first <= 0x39)) return this.number(bytes, from);
    switch (first) {
      case 0x7b:
        return this.object(bytes, from + 1, depth + 1);
      case 0x5b:
        return this.array(bytes, from + 1, depth + 1);
      case 0x6e:
        return this.literal(bytes, from, 'null', NULL);
      case 0x74:
        return this.literal(bytes, from, 'true', TRUE);
      case 0x66:
        return this.literal(bytes, from, 'false', FALSE);
      default:
        return -1;
    }
  }

  /** @param from after the opening quote; @returns after the closing one */
  string(bytes: Uint8Array, from: number): number {
    const { length } = bytes;
    let { high } = this;
    let at = from;
    while (at < length) {
      const byte = bytes[at] ?? 0;
      if (ENDS_PLAIN[byte] === 1) break;
      high |= byte;
      at++;
    }
    this.high = high;
    if (at >= length) return -1;
    if (bytes[at] === 0x22) {
      this.kind = STRING;
      return at + 1;
    }
    return bytes[at] === 0x5c ? this.escaped(bytes, at) : -1;
  }

  /** The rest of a string from its first backslash on. */
  private escaped(bytes: Uint8Array, from: number): number {
    const { length } = bytes;
    let at = from;
    while (at < length) {
      const byte = bytes[at] ?? 0;
      if (byte === 0x22) {
        this.kind = OTHER;
        return at + 1;
      }
      if (byte < 0x20) return -1;
      this.high |= byte;
      at++;
      if (byte !== 0x5c) continue;
      if (at >= length) return -1;
      const sign = bytes[at++] ?? 0;
      if (MAY_BE_ESCAPED[sign] === 1) continue;
      if (sign !== 0x75 || at + 4 > length) return -1;
      for (const end = at + 4; at < end; at++) if (!isHexDigit(bytes[at] ?? 0)) return -1;
    }
    return -1;
  }

  private number(bytes: Uint8Array, from: number): number {
    const { length } = bytes;
    let at = from;
    if (bytes[at] === 0x2d) at++;
    if (at >= length) return -1;
    const whole = at;
    at = digitsEnd(bytes, at);
    if (at === whole || (at > whole + 1 && bytes[whole] === 0x30)) return -1;
    this.kind = INTEGER;
    if (at >= length) return at;
    const next = bytes[at] ?? 0;
    if (next !== 0x2e && next !== 0x65 && next !== 0x45) return at;
    this.kind = DECIMAL;
    return next === 0x2e ? this.fraction(bytes, at + 1) : exponentEnd(bytes, at + 1);
  }

  private fraction(bytes: Uint8Array, from: number): number {
    const at = digitsEnd(bytes, from);
    if (at === from) return -1;
    if (at >= bytes.length) return at;
    const next = bytes[at] ?? 0;
    return next === 0x65 || next === 0x45 ? exponentEnd(bytes, at + 1) : at;
  }

  private literal(bytes: Uint8Array, from: number, word: string, kind: number): number {
    if (from + word.length > bytes.length) return -1;
    for (let at = 1; at < word.length; at++) if (bytes[from + at] !== word.charCodeAt(at)) return -1;
    this.kind = kind;
    return from + word.length;
  }

  private array(bytes: Uint8Array, from: number, depth: number): number {
    if (depth > MAX_DEPTH) return -1;
    let at = skipSpace(bytes, from);
    if (at < bytes.length && bytes[at] === 0x5d) {
      this.kind = OTHER;
      return at + 1;
    }
    while (at < bytes.length) {
      at = this.value(bytes, at, depth);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (at >= bytes.length) return -1;
      const next = bytes[at++];
      if (next === 0x5d) {
        this.kind = OTHER;
        return at;
      }
      if (next !== 0x2c) return -1;
      at = skipSpace(bytes, at);
    }
    return -1;
  }

  private object(bytes: Uint8Array, from: number, depth: number): number {
    if (depth > MAX_DEPTH) return -1;
    let at = skipSpace(bytes, from);
    if (at < bytes.length && bytes[at] === 0x7d) {
      this.kind = OTHER;
      return at + 1;
    }
    while (at < bytes.length) {
      if (bytes[at] !== 0x22) return -1;
      at = this.string(bytes, at + 1);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (at >= bytes.length || bytes[at] !== 0x3a) return -1;
      at = skipSpace(bytes, at + 1);
      at = at >= bytes.length ? -1 : this.value(bytes, at, depth);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (at >= bytes.length) return -1;
      const next = bytes[at++];
      if (next === 0x7d) {
        this.kind = OTHER;
        return at;
      }
      if (next !== 0x2c) return -1;
      at = skipSpace(bytes, at);
    }
    return -1;
  }
}

function digitsEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x30 || byte > 0x39) break;
    at++;
  }
  return at;
}

/** @param from after the `e`; @returns -1 where no digit follows */
function exponentEnd(bytes: Uint8Array, from: number): number {
  const sign = from < bytes.length ? bytes[from] : 0;
  const digits = sign === 0x2b || sign === 0x2d ? from + 1 : from;
  const at = digitsEnd(bytes, digits);
  return at === digits ? -1 : at;
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
