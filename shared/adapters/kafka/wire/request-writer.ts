const FIRST_BYTES = 256;
const UUID_BYTES = 16;

/** Writes the fields of a request in Kafka's flexible form. Source: kafka.apache.org/protocol, "Protocol Primitive Types". */
export class RequestWriter {
  private buffer = Buffer.allocUnsafe(FIRST_BYTES);
  private at = 0;

  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  int8(value: number): this {
    const at = this.take(1);
    this.buffer.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.take(2);
    this.buffer.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.take(4);
    this.buffer.writeInt32BE(value, at);
    return this;
  }

  int64(value: bigint): this {
    const at = this.take(8);
    this.buffer.writeBigInt64BE(value, at);
    return this;
  }

  varint(value: number): this {
    let rest = value >>> 0;
    for (; rest > 127; rest >>>= 7) this.int8((rest & 127) - 128);
    return this.int8(rest);
  }

  /** A string whose length is a varint. */
  text(value: string): this {
    return this.raw(value);
  }

  nullableText(value: string | null): this {
    return value === null ? this.varint(0) : this.raw(value);
  }

  /** A string of the older protocols: its length is an INT16. */
  shortText(value: string): this {
    const bytes = Buffer.from(value);
    return this.int16(bytes.length).copy(bytes);
  }

  /** Bytes whose length is a varint. */
  data(value: Uint8Array): this {
    return this.varint(value.length + 1).copy(value);
  }

  /** A UUID as people write it. */
  uuid(value: string): this {
    const bytes = Buffer.from(value.replaceAll('-', ''), 'hex');
    if (bytes.length !== UUID_BYTES) throw new RangeError(`${value} is no UUID`);
    return this.copy(bytes);
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.varint(items.length + 1);
    for (const item of items) write(item);
    return this;
  }

  /** An array of the older protocols: its count is an INT32. */
  longArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** No tagged fields. */
  noTags(): this {
    return this.int8(0);
  }

  copy(bytes: Uint8Array): this {
    const at = this.take(bytes.length);
    this.buffer.set(bytes, at);
    return this;
  }

  private raw(value: string): this {
    return this.data(Buffer.from(value));
  }

  private take(count: number): number {
    const at = this.at;
    this.at += count;
    if (this.at > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.at, 2 * this.buffer.length));
      larger.set(this.buffer.subarray(0, at));
      this.buffer = larger;
    }
    return at;
  }
}
