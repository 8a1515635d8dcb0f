import { varintBytes } from '../row-bytes.ts';

/** The most bytes of a cell's tags and lengths. */
export const CELL_HEAD_BYTES = 16;

/** Below this a loop copies faster than a call. */
export const LOOP_BYTES = 64;

/**
 * Writes one cell of a row from `at` on.
 *
 * `out` has room for what it writes.
 *
 * @returns the place after the cell; -1 for a value that the reference must read, nothing of it is counted as written
 */
export type WriteCell = (out: Buffer, at: number, source: Buffer, from: number, to: number) => number;

/** As `WriteCell`, of a binary number. */
export type WriteNumber = (out: Buffer, at: number, value: number) => number;

/** Writes the head of a string of `length` bytes. */
export function writeTextHead(out: Buffer, at: number, length: number): number {
  if (length < 0x7e) {
    out[at] = 0x0a;
    out[at + 1] = length + 2;
    out[at + 2] = 0x1a;
    out[at + 3] = length;
    return at + 4;
  }
  out[at] = 0x0a;
  let next = writeVarint(out, at + 1, 1 + varintBytes(length) + length);
  out[next++] = 0x1a;
  next = writeVarint(out, next, length);
  return next;
}

function writeVarint(out: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest > 127) {
    out[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** A string cell whose text is as it stands in the source. */
export function writeText(out: Buffer, at: number, source: Buffer, from: number, to: number): number {
  let next = writeTextHead(out, at, to - from);
  if (to - from > LOOP_BYTES) return next + source.copy(out, next, from, to);
  for (let byte = from; byte < to; byte++) out[next++] = source[byte] ?? 0;
  return next;
}

export function writeNull(out: Buffer, at: number): number {
  out[at] = 0x0a;
  out[at + 1] = 2;
  out[at + 2] = 0x08;
  out[at + 3] = 0;
  return at + 4;
}

export function writeBool(out: Buffer, at: number, value: boolean): number {
  out[at] = 0x0a;
  out[at + 1] = 2;
  out[at + 2] = 0x20;
  out[at + 3] = value ? 1 : 0;
  return at + 4;
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** A finite number. */
export const writeDouble: WriteNumber = (out, at, value) => {
  out[at] = 0x0a;
  out[at + 1] = 9;
  out[at + 2] = 0x11;
  double[0] = value;
  for (let byte = 0; byte < 8; byte++) out[at + 3 + byte] = doubleBytes[byte] ?? 0;
  return at + 11;
};

/** A FLOAT64; what is not finite travels as text. */
export const writeFiniteDouble: WriteNumber = (out, at, value) =>
  Number.isFinite(value) ? writeDouble(out, at, value) : -1;

/** A FLOAT32, for numbers that it holds. */
export const writeSingle: WriteNumber = (out, at, value) =>
  Math.fround(value) === value ? writeFiniteDouble(out, at, value) : -1;

/** A whole number within 2^53, as text. */
export const writeLong: WriteNumber = (out, at, value) => {
  const small = value | 0;
  if (small === value && small > -INT_BOUND) return writeInt(out, at, small);
  let rest = Math.abs(value);
  let length = value < 0 ? 2 : 1;
  for (let power = 10; power <= rest; power *= 10) length++;
  const start = writeTextHead(out, at, length);
  for (let place = start + length - 1; rest > 0; place--) {
    const tenth = Math.floor(rest / 10);
    out[place] = 0x30 + (rest - tenth * 10);
    rest = tenth;
  }
  if (value < 0) out[start] = 0x2d;
  return start + length;
};

const INT_BOUND = 2 ** 31;

/** As `writeLong`, of what 32-bit arithmetic holds with its sign turned. */
function writeInt(out: Buffer, at: number, value: number): number {
  let rest = value < 0 ? -value | 0 : value;
  let length = value < 0 ? 2 : 1;
  for (let power = 10; power <= rest; power *= 10) length++;
  const start = writeTextHead(out, at, length);
  let place = start + length;
  do {
    const tenth = (rest / 10) | 0;
    out[--place] = 0x30 + rest - tenth * 10;
    rest = tenth;
  } while (rest > 0);
  if (value < 0) out[start] = 0x2d;
  return start + length;
}

/** Up to 18 digits are below 2^63, whatever they are. */
export const INT64_DIGITS = 18;

/** INT64 of a whole JSON number. */
export const writeInteger: WriteCell = (out, at, source, from, to) => {
  const minus = source[from] === 0x2d ? 1 : 0;
  if (to - from - minus > INT64_DIGITS || (minus === 1 && source[from + 1] === 0x30)) return -1;
  return writeText(out, at, source, from, to);
};

/** INT64 of text: digits as a number would have them. */
export const writeIntegerText: WriteCell = (out, at, source, from, to) => {
  const digits = source[from] === 0x2d ? from + 1 : from;
  if (digits >= to || (source[digits] === 0x30 && to - from > 1)) return -1;
  for (let place = digits; place < to; place++) if (!isDigit(source[place] ?? 0)) return -1;
  return writeInteger(out, at, source, from, to);
};

/** NUMERIC holds 29 digits before and 9 after the point. */
const NUMERIC_WHOLE_DIGITS = 29;
const NUMERIC_FRACTION_DIGITS = 9;

/** NUMERIC of decimal digits, without an exponent; zeros at the end of the fraction are left out. */
export const writeNumeric: WriteCell = (out, at, source, from, to) => {
  const whole = source[from] === 0x2d ? from + 1 : from;
  const point = digitsEnd(source, whole, to);
  if (point === whole || point - whole > NUMERIC_WHOLE_DIGITS) return -1;
  const zero = source[whole] === 0x30;
  if (zero && point - whole > 1) return -1;
  let end = point;
  if (point < to) {
    if (source[point] !== 0x2e || point + 1 === to || digitsEnd(source, point + 1, to) !== to) return -1;
    end = to;
    while (source[end - 1] === 0x30) end--;
    if (end === point + 1) end = point;
    if (end - point - 1 > NUMERIC_FRACTION_DIGITS) return -1;
  }
  // There is no minus nought.
  if (zero && end === point && whole > from) return -1;
  return writeText(out, at, source, from, end);
};

function digitsEnd(source: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && isDigit(source[at] ?? 0)) at++;
  return at;
}

/** Whole numbers up to 10^15 and powers of ten up to 10^22 are exact, and so their quotient is rounded right. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, power) => 10 ** power);

/**
 * FLOAT64 or FLOAT32 of a JSON number, up to `max`.
 *
 * Source: Clinger, How to Read Floating Point Numbers Accurately, 1990.
 */
export function floatWriter(max: number): WriteCell {
  return (out, at, source, from, to) => {
    const minus = source[from] === 0x2d;
    let digits = 0;
    let count = 0;
    let point = to;
    for (let place = minus ? from + 1 : from; place < to; place++) {
      const byte = source[place] ?? 0;
      if (byte === 0x2e) point = place;
      else if (!isDigit(byte) || ++count > EXACT_DIGITS) return writeLongFloat(out, at, source, from, to, max);
      else digits = digits * 10 + byte - 0x30;
    }
    const value = point === to ? digits : digits / (POWERS_OF_TEN[to - point - 1] ?? 1);
    return writeDouble(out, at, minus ? -value : value);
  };
}

function writeLongFloat(out: Buffer, at: number, source: Buffer, from: number, to: number, max: number): number {
  const value = Number(source.toString('latin1', from, to));
  return Math.abs(value) <= max ? writeDouble(out, at, value) : -1;
}

const UUID_LENGTH = 36;
const DASHES = new Set([8, 13, 18, 23]);
/** The lower-case hex digit that a sign stands for; 0 for none. */
const HEX = new Uint8Array(256);
for (const digit of '0123456789abcdef') {
  HEX[digit.charCodeAt(0)] = digit.charCodeAt(0);
  HEX[digit.toUpperCase().charCodeAt(0)] = digit.charCodeAt(0);
}
const DASH_AT = Uint8Array.from({ length: UUID_LENGTH }, (_, at) => (DASHES.has(at) ? 1 : 0));

export const writeUuid: WriteCell = (out, at, source, from, to) => {
  if (to - from !== UUID_LENGTH) return -1;
  const start = writeTextHead(out, at, UUID_LENGTH);
  for (let place = 0; place < UUID_LENGTH; place++) {
    const byte = source[from + place] ?? 0;
    if (DASH_AT[place] === 1) {
      if (byte !== 0x2d) return -1;
      out[start + place] = byte;
    } else {
      const digit = HEX[byte] ?? 0;
      if (digit === 0) return -1;
      out[start + place] = digit;
    }
  }
  return start + UUID_LENGTH;
};

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
