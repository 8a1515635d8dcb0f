import { MalformedAnswerError } from '../kafka-errors.ts';

const UUID_BYTES = 16;
const VARINT_BITS = 35;

/**
 * Reads the fields of an answer in Kafka's flexible form. Never reads beyond the answer, and never believes a count that the
 * bytes that are left cannot hold.
 *
 * Source: kafka.apache.org/protocol, "Protocol Primitive Types".
 */
export class ResponseReader {
  readonly bytes: Buffer;
  private at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  int8(): number {
    return this.bytes.readInt8(this.skip(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.skip(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.skip(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.skip(8));
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < VARINT_BITS; shift += 7) {
      const byte = this.bytes.readUInt8(this.skip(1));
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw new MalformedAnswerError('holds a number of more than 32 bits');
  }

  text(): string {
    const value = this.nullableText();
    if (value === null) throw new MalformedAnswerError('lacks a text');
    return value;
  }

  nullableText(): string | null {
    const length = this.varint() - 1;
    return length < 0 ? null : this.textOf(length);
  }

  /** A string of the older protocols. */
  shortText(): string {
    const length = this.int16();
    if (length < 0) throw new MalformedAnswerError('lacks a text');
    return this.textOf(length);
  }

  /** A view of bytes whose length is a varint; null where there are none. */
  data(): Buffer | null {
    const length = this.varint() - 1;
    return length < 0 ? null : this.view(length);
  }

  /** A view of bytes of the older protocols; null where there are none. */
  longData(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : this.view(length);
  }

  uuid(): string {
    const at = this.skip(UUID_BYTES);
    const hex = this.bytes.toString('hex', at, at + UUID_BYTES);
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  /** @returns an empty array for null too */
  array<T>(read: () => T): T[] {
    return this.items(this.varint() - 1, read);
  }

  /** An array of the older protocols. */
  longArray<T>(read: () => T): T[] {
    return this.items(this.int32(), read);
  }

  /** Skips tagged fields. */
  tags(): void {
    for (let left = this.varint(); left > 0; left--) {
      this.varint();
      this.skip(this.varint());
    }
  }

  /** @returns where the skipped bytes begin */
  skip(count: number): number {
    const from = this.at;
    if (count < 0 || count > this.bytes.length - from) throw new MalformedAnswerError('is cut short');
    this.at = from + count;
    return from;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  private view(length: number): Buffer {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  private textOf(length: number): string {
    const at = this.skip(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  private items<T>(count: number, read: () => T): T[] {
    if (count > this.left) throw new MalformedAnswerError(`announces ${count} items in ${this.left} bytes`);
    const items: T[] = [];
    for (let left = count; left > 0; left--) items.push(read());
    return items;
  }
}
