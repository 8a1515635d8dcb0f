import type { RawRecord, RecordHeader } from '../../../model/events/records/raw-record.ts';

const NO_HEADERS: readonly RecordHeader[] = [];
const NOTHING = Buffer.alloc(0);

/** What all records of a fetched batch have in common. */
export interface RecordOrigin {
  readonly topic: string;
  readonly partition: number;
}

/**
 * A record where it lies in a broker's answer. Key, value and headers are views that are made when they are asked for; nothing
 * is copied, and the answer lives as long as one of its records.
 */
export class WireRecord implements RawRecord {
  readonly timestampMs: number;
  /** The bytes that all positions below are in. */
  readonly bytes: Buffer;
  /** Below 2^53, as every offset of Kafka that anybody has seen. */
  readonly offsetNumber: number;
  readonly keyFrom: number;
  /** Below `keyFrom` where there is no key. */
  readonly keyTo: number;
  readonly valueFrom: number;
  /** Below `valueFrom` for a tombstone. */
  readonly valueTo: number;
  private readonly origin: RecordOrigin;
  private readonly headersFrom: number;
  private readonly headerCount: number;

  /** By position: an object of options for each record would cost as much as the record. */
  constructor(
    origin: RecordOrigin,
    bytes: Buffer,
    offset: number,
    timestampMs: number,
    keyFrom: number,
    keyTo: number,
    valueFrom: number,
    valueTo: number,
    headersFrom: number,
    headerCount: number,
  ) {
    this.origin = origin;
    this.bytes = bytes;
    this.offsetNumber = offset;
    this.timestampMs = timestampMs;
    this.keyFrom = keyFrom;
    this.keyTo = keyTo;
    this.valueFrom = valueFrom;
    this.valueTo = valueTo;
    this.headersFrom = headersFrom;
    this.headerCount = headerCount;
  }

  get topic(): string {
    return this.origin.topic;
  }

  get partition(): number {
    return this.origin.partition;
  }

  get offset(): bigint {
    return BigInt(this.offsetNumber);
  }

  get key(): Buffer | null {
    return this.keyTo < this.keyFrom ? null : this.bytes.subarray(this.keyFrom, this.keyTo);
  }

  get value(): Buffer | null {
    return this.valueTo < this.valueFrom ? null : this.bytes.subarray(this.valueFrom, this.valueTo);
  }

  /** A header without a value has an empty one. */
  get headers(): readonly RecordHeader[] {
    if (this.headerCount === 0) return NO_HEADERS;
    const cursor = new VarintCursor(this.bytes, this.headersFrom, this.bytes.length);
    return Array.from({ length: this.headerCount }, () => {
      const name = cursor.take(cursor.varint()).toString();
      const length = cursor.varint();
      return { name, value: length < 0 ? NOTHING : cursor.take(length) };
    });
  }
}

/** Walks over zigzag varints and the bytes between them. Never leaves `[at, end)`. */
export class VarintCursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** A signed number; exact to 2^53, which no length, offset or time exceeds. */
  varint(): number {
    const { bytes } = this;
    const first = this.at < this.end ? (bytes[this.at] as number) : 128;
    if (first < 128) {
      this.at += 1;
      return (first >>> 1) ^ -(first & 1);
    }
    return this.longVarint();
  }

  skip(count: number): void {
    if (count < 0 || count > this.end - this.at) throw new RangeError('a record is cut short');
    this.at += count;
  }

  take(count: number): Buffer {
    const from = this.at;
    this.skip(count);
    return this.bytes.subarray(from, from + count);
  }

  private longVarint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw new RangeError('a record is cut short');
      const byte = this.bytes[this.at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw new RangeError('a number has more than 64 bits');
  }
}
