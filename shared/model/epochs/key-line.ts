import type { KeyCode, KeyColumn, KeyPart } from './key.ts';
import { formatTimestamp } from './key-at.ts';

const DAY_MS = 86_400_000;
const NUMERIC_SCALE = 1_000_000_000n;
const SECOND_NANOS = 1_000_000_000n;
/** A double tells so many places of a text apart. */
const PRECISION = 2 ** -52;

/** Values of one key column as places on a line, so that distances mean something and a place between two can be named. */
export interface KeyLine {
  /** Undefined for NULL, NaN and infinities, and for types without a middle. */
  at(part: KeyPart): number | undefined;
  /** A value at a place, about. */
  partAt(place: number): KeyPart;
}

/** The signs that occur in a column of STRING or BYTES: code points or bytes, by their place in the text, sorted. */
export type Alphabets = readonly (readonly number[])[];

/**
 * Lays some values of a column on a line.
 *
 * @param parts all that are to be placed: what they begin with alike does not count
 * @param alphabets the last one stands for all places behind
 */
export function keyLine({ code }: KeyColumn, parts: readonly KeyPart[], alphabets: Alphabets): KeyLine {
  if (code === 'FLOAT32' || code === 'FLOAT64') {
    return { at: (part) => (typeof part === 'number' ? part : undefined), partAt: (place) => place };
  }
  return code === 'STRING' || code === 'BYTES' ? textLine(code, parts, alphabets) : wholeLine(code, parts);
}

/** The signs that a text or bytes are made of: code points or bytes; none of any other part. */
export function signsOf(code: KeyCode, part: KeyPart): number[] {
  if (typeof part !== 'string') return [];
  if (code === 'BYTES') return [...Buffer.from(part, 'base64')];
  return code === 'STRING' ? Array.from(part, (sign) => sign.codePointAt(0) ?? 0) : [];
}

function wholeLine(code: KeyCode, parts: readonly KeyPart[]): KeyLine {
  const base = parts.map((part) => wholeOf(code, part)).find((whole) => whole !== undefined) ?? 0n;
  return {
    at(part) {
      const whole = wholeOf(code, part);
      return whole === undefined ? undefined : Number(whole - base);
    },
    partAt: (place) => partOf(code, base + BigInt(Math.floor(place))),
  };
}

/** Every type whose values are evenly spaced, as a whole number. */
function wholeOf(code: KeyCode, part: KeyPart): bigint | undefined {
  if (typeof part !== 'string') return undefined;
  switch (code) {
    case 'INT64':
      return BigInt(part);
    case 'NUMERIC': {
      const [whole = '0', fraction = ''] = part.replace('-', '').split('.');
      const scaled = BigInt(whole) * NUMERIC_SCALE + BigInt(fraction.padEnd(9, '0'));
      return part.startsWith('-') ? -scaled : scaled;
    }
    case 'DATE':
      return BigInt(Date.parse(part) / DAY_MS);
    case 'TIMESTAMP': {
      const nanos = part.slice(20, -1).padEnd(9, '0');
      return BigInt(Date.parse(`${part.slice(0, 19)}Z`) / 1000) * SECOND_NANOS + BigInt(nanos);
    }
    case 'UUID':
      return BigInt(`0x${part.replaceAll('-', '')}`);
    default:
      return undefined;
  }
}

function partOf(code: KeyCode, whole: bigint): KeyPart {
  switch (code) {
    case 'NUMERIC': {
      const digits = String(whole < 0n ? -whole : whole).padStart(10, '0');
      const text = `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, '');
      return whole < 0n ? `-${text}` : text;
    }
    case 'DATE':
      return new Date(Number(whole) * DAY_MS).toISOString().slice(0, 10);
    case 'TIMESTAMP': {
      const nanos = ((whole % SECOND_NANOS) + SECOND_NANOS) % SECOND_NANOS;
      return formatTimestamp(Number((whole - nanos) / SECOND_NANOS), Number(nanos));
    }
    case 'UUID': {
      const hex = whole.toString(16).padStart(32, '0');
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
    }
    default:
      return String(whole);
  }
}

/** A text is a fraction whose digits are its signs, behind what all texts begin with. */
function textLine(code: 'STRING' | 'BYTES', parts: readonly KeyPart[], alphabets: Alphabets): KeyLine {
  const texts = parts.filter((part) => typeof part === 'string').map((part) => signsOf(code, part));
  const shared = sharedLength(texts);
  const prefix = texts[0]?.slice(0, shared) ?? [];
  const alphabetAt = (at: number): readonly number[] => alphabets[Math.min(at, alphabets.length - 1)] ?? [];
  return {
    at(part) {
      if (typeof part !== 'string') return undefined;
      let place = 0;
      let unit = 1;
      for (const [at, sign] of signsOf(code, part).entries()) {
        if (at < shared) continue;
        const alphabet = alphabetAt(at);
        // The digit 0 is the text's end.
        unit /= alphabet.length + 1;
        place += (digitOf(alphabet, sign) + 1) * unit;
        if (unit < PRECISION) break;
      }
      return place;
    },
    partAt(place) {
      const signs = [...prefix];
      let rest = place;
      for (let unit = 1; unit > PRECISION; ) {
        const alphabet = alphabetAt(signs.length);
        const base = alphabet.length + 1;
        unit /= base;
        rest *= base;
        const digit = Math.min(alphabet.length, Math.floor(rest));
        if (digit <= 0) break;
        signs.push(alphabet[digit - 1] ?? 0);
        rest -= digit;
      }
      return code === 'BYTES' ? Buffer.from(signs).toString('base64') : String.fromCodePoint(...signs);
    },
  };
}

function sharedLength(texts: readonly (readonly number[])[]): number {
  const [first = []] = texts;
  const differs = first.findIndex((sign, at) => texts.some((text) => text[at] !== sign));
  return differs < 0 ? Math.min(...texts.map(({ length }) => length), first.length) : differs;
}

/** How many signs of the alphabet are below. */
function digitOf(alphabet: readonly number[], sign: number): number {
  let from = 0;
  let to = alphabet.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((alphabet[middle] ?? 0) < sign) from = middle + 1;
    else to = middle;
  }
  return from;
}
