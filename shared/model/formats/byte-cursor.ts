import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../events/records/poison.ts';

/** A double holds 7 groups of 7 bits. */
const PLAIN_GROUPS = 7;
const MAX_GROUPS = 10;

/** Bytes of one record, read from the front; every read that would pass the end is poison. */
export class ByteCursor {
  readonly bytes: Buffer;
  at: number;
  /** Exclusive. */
  readonly end: number;

  constructor(bytes: Buffer, from = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  byte(): number {
    const byte = this.at < this.end ? this.bytes[this.at++] : undefined;
    return byte ?? this.fail('ends in the middle of a value');
  }

  /** Moves over so many bytes, and tells where they begin. */
  skip(length: number): number {
    if (length > this.left) this.fail(`says that ${length} bytes follow, and has ${this.left}`);
    const from = this.at;
    this.at += length;
    return from;
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    const from = this.skip(length);
    return this.bytes.subarray(from, this.at);
  }

  text(length: number): string {
    const bytes = this.take(length);
    if (!isUtf8(bytes)) this.fail('has a text that is not valid UTF-8');
    return bytes.toString('utf8');
  }

  float(): number {
    return this.bytes.readFloatLE(this.skip(4));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.skip(8));
  }

  /** An unsigned number of up to 64 bits in groups of 7, lowest first; a bigint from 2^49 on. */
  varint(): number | bigint {
    let value = 0;
    let scale = 1;
    for (let group = 0; group < PLAIN_GROUPS; group++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return this.longVarint(value);
  }

  private longVarint(low: number): bigint {
    let value = BigInt(low);
    for (let group = PLAIN_GROUPS; group < MAX_GROUPS; group++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * group);
      if (byte < 0x80) return value < 1n << 64n ? value : this.fail('has a number of more than 64 bits');
    }
    return this.fail('has a number of more than 10 bytes');
  }

  /** A signed number of up to 64 bits in zigzag; a bigint outside of ±2^48. */
  zigzag(): number | bigint {
    const value = this.varint();
    if (typeof value === 'number') return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    return value & 1n ? -(value >> 1n) - 1n : value >> 1n;
  }

  /** @throws {PoisonError} always: class `undecodable`, naming the place */
  fail(what: string): never {
    throw new PoisonError('undecodable', `The value ${what}, at byte ${this.at} of ${this.end}`);
  }
}
