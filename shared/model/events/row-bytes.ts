import type { Cell } from './values/cell.ts';

/**
 * One row as it stands in `google.spanner.v1.Mutation.Write.values`, tag and length included: bytes `[from, to)` of what
 * its arena holds. Rows that were written one after the other lie one after the other, and are copied at once.
 */
export interface EncodedRow {
  readonly arena: RowArena;
  readonly from: number;
  readonly to: number;
}

/** Where rows lie; its bytes move when it grows, so they are looked up when they are needed. */
export interface RowArena {
  readonly bytes: Buffer;
}

const FIRST_BYTES = 64 * 1024;
/** A tag and the longest length. */
const ROOM = 16;

/** Mutation.Write.values, of which each is a ListValue. */
const ROW_TAG = 0x1a;
/** ListValue.values. */
const ELEMENT_TAG = 0x0a;
/** google.protobuf.Value: null_value, number_value, string_value, bool_value, list_value. */
const NULL_TAG = 0x08;
const NUMBER_TAG = 0x11;
const STRING_TAG = 0x1a;
const BOOL_TAG = 0x20;
const LIST_TAG = 0x32;

/**
 * Writes rows in the protobuf wire format, one after the other into one growing buffer.
 *
 * Lengths come before what they measure: bytes are kept free for them, and content moves when that was a wrong guess.
 * Source: protobuf.dev/programming-guides/encoding, google/protobuf/struct.proto.
 */
export class WireWriter implements RowArena {
  bytes: Buffer;
  /** Where the next byte goes. */
  at = 0;
  /** Bytes kept for the open row's length: as many as the last row's took. */
  private rowLengthBytes = 2;

  constructor(firstBytes = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(firstBytes);
  }

  /** Makes room for `count` bytes and a field's head, which the caller then writes from `at` on. */
  reserve(count: number): void {
    const needed = this.at + count + ROOM;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  /** Opens a row, whose cells follow; @returns what `endRow` needs */
  beginRow(): number {
    this.reserve(ROOM);
    this.bytes[this.at] = ROW_TAG;
    this.at += 1 + this.rowLengthBytes;
    return this.at;
  }

  /** Closes a row. */
  endRow(from: number): EncodedRow {
    return { arena: this, from: this.closeRow(from), to: this.at };
  }

  /** As `endRow`, without an object; @returns where the row begins; it ends at `at` */
  closeRow(from: number): number {
    const kept = this.rowLengthBytes;
    this.rowLengthBytes = this.closeLength(from, kept);
    return from - 1 - kept;
  }

  /** Takes back everything from a row's beginning on. */
  dropRow(from: number): void {
    this.at = from - 1 - this.rowLengthBytes;
  }

  null(): void {
    this.reserve(ROOM);
    const { bytes } = this;
    bytes[this.at++] = ELEMENT_TAG;
    bytes[this.at++] = 2;
    bytes[this.at++] = NULL_TAG;
    bytes[this.at++] = 0;
  }

  boolean(value: boolean): void {
    this.reserve(ROOM);
    const { bytes } = this;
    bytes[this.at++] = ELEMENT_TAG;
    bytes[this.at++] = 2;
    bytes[this.at++] = BOOL_TAG;
    bytes[this.at++] = value ? 1 : 0;
  }

  /** A FLOAT32 or FLOAT64; what is not finite travels as text. */
  number(value: number): void {
    if (!Number.isFinite(value)) {
      this.text(String(value));
      return;
    }
    this.reserve(ROOM);
    this.bytes[this.at++] = ELEMENT_TAG;
    this.bytes[this.at++] = 9;
    this.bytes[this.at++] = NUMBER_TAG;
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  /** Opens a string of exactly `length` bytes, which the caller then writes from `at` on. */
  beginString(length: number): void {
    this.reserve(length);
    this.bytes[this.at++] = ELEMENT_TAG;
    this.varint(1 + varintBytes(length) + length);
    this.bytes[this.at++] = STRING_TAG;
    this.varint(length);
  }

  /** A string of which the UTF-8 stands in other bytes. */
  utf8(source: Uint8Array, from: number, to: number): void {
    this.beginString(to - from);
    const { bytes } = this;
    let { at } = this;
    for (let byte = from; byte < to; byte++) bytes[at++] = source[byte] ?? 0;
    this.at = at;
  }

  text(text: string): void {
    const length = Buffer.byteLength(text);
    this.beginString(length);
    this.at += this.bytes.write(text, this.at, length, 'utf8');
  }

  /** One cell of any type. */
  cell(cell: Cell): void {
    if (typeof cell === 'string') this.text(cell);
    else if (typeof cell === 'number') this.number(cell);
    else if (cell === null) this.null();
    else if (typeof cell === 'boolean') this.boolean(cell);
    else this.list(cell);
  }

  private list(cells: readonly Cell[]): void {
    this.reserve(ROOM);
    this.bytes[this.at] = ELEMENT_TAG;
    this.at += 2;
    const from = this.at;
    this.bytes[this.at] = LIST_TAG;
    this.at += 2;
    const inside = this.at;
    for (const cell of cells) this.cell(cell);
    this.closeLength(inside, 1);
    this.closeLength(from, 1);
  }

  /** Writes the length of `[from, at)` into the bytes kept before `from`, moving the content when they do not suit; @returns bytes taken */
  private closeLength(from: number, kept: number): number {
    const length = this.at - from;
    const wanted = varintBytes(length);
    if (wanted !== kept) {
      this.reserve(ROOM);
      this.bytes.copyWithin(from - kept + wanted, from, this.at);
    }
    const end = this.at + wanted - kept;
    this.at = from - kept;
    this.varint(length);
    this.at = end;
    return wanted;
  }

  private varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.bytes[this.at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }
}

/** Bytes that a length takes; lengths stay below 2^31. */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
}

/** Writes a row of cells. */
export function encodeRow(writer: WireWriter, cells: readonly Cell[]): EncodedRow {
  const from = writer.beginRow();
  for (const cell of cells) writer.cell(cell);
  return writer.endRow(from);
}
