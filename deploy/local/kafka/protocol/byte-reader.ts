/** The bytes do not say what the protocol allows: the connection that sent them is closed. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

const MAX_VARINT_BYTES = 5;

/** Reads Kafka's primitives from one request, never past its end. */
export class ByteReader {
  readonly bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  int8(): number {
    return this.bytes.readInt8(this.take(1));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.take(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.take(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8));
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.take(8));
  }

  unsignedVarint(): number {
    let value = 0;
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      const byte = this.bytes[this.take(1)] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * count);
      if (byte < 0x80) return value;
    }
    throw new MalformedError(`A varint at byte ${this.position} is longer than ${MAX_VARINT_BYTES} bytes`);
  }

  /** A view of the next `length` bytes, not a copy. */
  slice(length: number): Buffer {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  private take(length: number): number {
    const start = this.position;
    if (length < 0 || length > this.bytes.length - start) {
      throw new MalformedError(`${length} bytes wanted at byte ${start} of a request of ${this.bytes.length} bytes`);
    }
    this.position = start + length;
    return start;
  }
}
