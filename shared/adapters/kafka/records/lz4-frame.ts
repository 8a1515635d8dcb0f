const MAGIC = 0x184d2204;
const VERSION_MASK = 0xc0;
const VERSION = 0x40;
const HAS_BLOCK_CHECKSUM = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_CONTENT_CHECKSUM = 0x04;
const HAS_DICTIONARY = 0x01;
const UNCOMPRESSED = 0x80000000;
const MIN_MATCH = 4;
const LONG = 15;
/** Shorter runs are copied faster one byte at a time than by a call. */
const SHORT_COPY_BYTES = 24;

/**
 * Unpacks an LZ4 frame; its checksums are not compared, because the record batch around it has one.
 *
 * Source: the LZ4 frame format 1.6.1 and the LZ4 block format.
 *
 * @throws {RangeError} when it is malformed, or unpacks to more than `maxBytes`
 */
export function unpackLz4(frame: Uint8Array, maxBytes: number): Buffer {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw new RangeError('it is no LZ4 frame');
  const flags = view.getUint8(4);
  if ((flags & VERSION_MASK) !== VERSION) throw new RangeError('it is an LZ4 frame of another version');
  if ((flags & HAS_DICTIONARY) !== 0) throw new RangeError('its LZ4 frame needs a dictionary');
  // Magic, flags, block size; the header's checksum follows an optional content size.
  let at = 7 + ((flags & HAS_CONTENT_SIZE) === 0 ? 0 : 8);
  const output = new Lz4Output(Math.min(maxBytes, 4 * frame.length), maxBytes);
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const length = size & ~UNCOMPRESSED;
    if (length < 0 || at + length > frame.length) throw new RangeError('its LZ4 frame is cut short');
    if ((size & UNCOMPRESSED) !== 0) output.copy(frame, at, length);
    else output.block(frame, at, at + length);
    at += length + ((flags & HAS_BLOCK_CHECKSUM) === 0 ? 0 : 4);
  }
  if ((flags & HAS_CONTENT_CHECKSUM) !== 0 && at + 4 > frame.length) throw new RangeError('its LZ4 frame is cut short');
  return output.bytes();
}

class Lz4Output {
  private buffer: Buffer;
  private at = 0;
  private readonly maxBytes: number;

  constructor(firstBytes: number, maxBytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(firstBytes);
    this.maxBytes = maxBytes;
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  copy(source: Uint8Array, from: number, length: number): void {
    this.reserve(length);
    const { buffer } = this;
    if (length > SHORT_COPY_BYTES) buffer.set(source.subarray(from, from + length), this.at);
    else for (let i = 0; i < length; i++) buffer[this.at + i] = source[from + i] as number;
    this.at += length;
  }

  /** Unpacks one block `source[from, to)`; its matches may reach into earlier blocks. */
  block(source: Uint8Array, from: number, to: number): void {
    let at = from;
    const lengthOf = (nibble: number): number => {
      let length = nibble;
      if (nibble !== LONG) return length;
      for (let more = 255; more === 255; length += more) {
        if (at >= to) throw new RangeError('its LZ4 block is cut short');
        more = source[at++] as number;
      }
      return length;
    };
    while (at < to) {
      const token = source[at++] as number;
      const literals = lengthOf(token >>> 4);
      if (at + literals > to) throw new RangeError('its LZ4 block is cut short');
      this.copy(source, at, literals);
      at += literals;
      // The last sequence has literals alone.
      if (at === to) return;
      if (at + 2 > to) throw new RangeError('its LZ4 block is cut short');
      const distance = (source[at] as number) | ((source[at + 1] as number) << 8);
      at += 2;
      this.repeat(distance, MIN_MATCH + lengthOf(token & LONG));
    }
  }

  private repeat(distance: number, length: number): void {
    if (distance === 0 || distance > this.at) throw new RangeError('its LZ4 block points before its beginning');
    this.reserve(length);
    const { buffer } = this;
    const from = this.at - distance;
    if (length > SHORT_COPY_BYTES && distance >= length) buffer.copyWithin(this.at, from, from + length);
    else for (let i = 0; i < length; i++) buffer[this.at + i] = buffer[from + i] as number;
    this.at += length;
  }

  private reserve(count: number): void {
    const needed = this.at + count;
    if (needed > this.maxBytes) throw new RangeError(`it unpacks to more than ${this.maxBytes} bytes`);
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.min(this.maxBytes, Math.max(needed, 2 * this.buffer.length)));
    larger.set(this.buffer.subarray(0, this.at));
    this.buffer = larger;
  }
}
