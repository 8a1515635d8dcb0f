import type { Cell, SpannerType } from '../values.ts';

/** How one column takes part in a key. */
export interface KeyColumn {
  readonly type: SpannerType;
  readonly descending: boolean;
}

/** Sorts after every key that begins with the prefix it is appended to. */
export const AFTER_PREFIX = '\xff';

const ESCAPE = 0x00;
const ESCAPED_ZERO = 0xff;
const TERMINATOR = 0x01;
const NULL_MARK = 0x01;
const VALUE_MARK = 0x02;
const SECONDS_OFFSET = 2n ** 47n;
const NANOS_PER_SECOND = 1_000_000_000n;
const NUMERIC_SCALE = 9;
const NUMERIC_OFFSET = 10n ** 38n;
const NUMERIC_HEX_DIGITS = 34;

let scratch = Buffer.allocUnsafeSlow(64 * 1024);
let end = 0;

/**
 * Encodes key cells so that plain string order is Spanner's key order: NULL first, NaN next, DESC columns reversed.
 *
 * The result holds one byte per character. A key's first columns encode to a prefix of the whole key.
 */
export function encodeKey(cells: readonly Cell[], columns: readonly KeyColumn[]): string {
  end = 0;
  for (let i = 0; i < cells.length; i++) {
    const column = columns[i];
    if (!column) throw new Error(`A key of ${columns.length} columns was given ${cells.length} values`);
    const start = end;
    writeCell(cells[i] ?? null, column.type);
    if (column.descending) invert(start);
  }
  return scratch.toString('latin1', 0, end);
}

function writeCell(cell: Cell, type: SpannerType): void {
  reserve(64);
  if (cell === null) {
    scratch[end++] = NULL_MARK;
    return;
  }
  scratch[end++] = VALUE_MARK;
  if (type.code === 'INT64' && typeof cell === 'bigint') {
    scratch.writeBigInt64BE(cell, end);
    scratch[end] = (scratch[end] ?? 0) ^ 0x80;
    end += 8;
  } else if (type.code === 'TIMESTAMP' && typeof cell === 'bigint') {
    writeTimestamp(cell);
  } else if (type.code === 'NUMERIC' && typeof cell === 'string') {
    writeNumeric(cell);
  } else if (typeof cell === 'string') {
    writeString(cell);
  } else if (typeof cell === 'number') {
    writeDouble(cell);
  } else if (typeof cell === 'boolean') {
    scratch[end++] = cell ? 1 : 0;
  } else if (Buffer.isBuffer(cell)) {
    writeBytes(cell);
  } else {
    throw new Error(`A value of type ${type.code} cannot be part of a key`);
  }
}

function writeString(text: string): void {
  reserve(text.length + 8);
  const start = end;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 0x7f) {
      end = start;
      writeBytes(Buffer.from(text, 'utf8'));
      return;
    }
    scratch[end++] = code;
  }
  scratch[end++] = ESCAPE;
  scratch[end++] = TERMINATOR;
}

function writeBytes(bytes: Buffer): void {
  reserve(bytes.length * 2 + 8);
  for (const byte of bytes) {
    scratch[end++] = byte;
    if (byte === ESCAPE) scratch[end++] = ESCAPED_ZERO;
  }
  scratch[end++] = ESCAPE;
  scratch[end++] = TERMINATOR;
}

function writeDouble(value: number): void {
  if (Number.isNaN(value)) {
    scratch.fill(0, end, end + 8);
  } else {
    scratch.writeDoubleBE(value === 0 ? 0 : value, end);
    if (value < 0) invertBytes(end, end + 8);
    else scratch[end] = (scratch[end] ?? 0) ^ 0x80;
  }
  end += 8;
}

function writeTimestamp(nanoseconds: bigint): void {
  let seconds = nanoseconds / NANOS_PER_SECOND;
  let nanos = nanoseconds % NANOS_PER_SECOND;
  if (nanos < 0n) {
    seconds -= 1n;
    nanos += NANOS_PER_SECOND;
  }
  scratch.writeBigInt64BE(seconds + SECONDS_OFFSET, end);
  scratch.writeUInt32BE(Number(nanos), end + 8);
  end += 12;
}

function writeNumeric(text: string): void {
  const negative = text.startsWith('-');
  const [whole = '', fraction = ''] = (negative ? text.slice(1) : text).split('.');
  const magnitude = BigInt(whole + fraction.padEnd(NUMERIC_SCALE, '0'));
  const digits = (NUMERIC_OFFSET + (negative ? -magnitude : magnitude)).toString(16).padStart(NUMERIC_HEX_DIGITS, '0');
  end += scratch.write(digits, end, 'latin1');
}

function invert(start: number): void {
  invertBytes(start, end);
}

function invertBytes(from: number, to: number): void {
  for (let i = from; i < to; i++) scratch[i] = (scratch[i] ?? 0) ^ 0xff;
}

function reserve(bytes: number): void {
  if (end + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, end + bytes));
  scratch.copy(larger, 0, 0, end);
  scratch = larger;
}
