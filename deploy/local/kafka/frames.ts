import { MalformedError } from './protocol/byte-reader.ts';

const LENGTH_BYTES = 4;
const FIRST_BYTES = 64 * 1024;
const SLAB_BYTES = 1024 * 1024;

/**
 * Cuts a stream into frames of `[int32 length][bytes]`.
 *
 * Memory is taken as bytes arrive, not as a length promises them.
 */
export class Frames {
  /** May be changed: it counts for the frames whose length is read afterwards. */
  maxBytes: number;
  private readonly length = Buffer.alloc(LENGTH_BYTES);
  private lengthBytes = 0;
  private frame: Buffer | undefined;
  private expected = 0;
  private filled = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /**
   * Takes the next bytes and gives the frames that they complete.
   *
   * @throws {MalformedError} a length is negative or over the limit
   */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      at += this.frame ? this.fill(this.frame, chunk, at) : this.readLength(chunk, at);
      if (this.frame && this.filled === this.expected) {
        frames.push(this.frame.subarray(0, this.expected));
        this.frame = undefined;
      }
    }
    return frames;
  }

  private readLength(chunk: Buffer, at: number): number {
    const count = chunk.copy(this.length, this.lengthBytes, at, at + LENGTH_BYTES - this.lengthBytes);
    this.lengthBytes += count;
    if (this.lengthBytes < LENGTH_BYTES) return count;
    this.lengthBytes = 0;
    this.expected = this.length.readInt32BE(0);
    if (this.expected <= 0 || this.expected > this.maxBytes) {
      throw new MalformedError(`A request of ${this.expected} bytes: 1 to ${this.maxBytes} are taken`);
    }
    this.filled = 0;
    this.frame = takeMemory(Math.min(this.expected, FIRST_BYTES));
    return count;
  }

  private fill(frame: Buffer, chunk: Buffer, at: number): number {
    const count = Math.min(this.expected - this.filled, chunk.length - at);
    const needed = this.filled + count;
    let target = frame;
    if (needed > target.length) {
      target = Buffer.allocUnsafeSlow(Math.min(this.expected, Math.max(needed, target.length * 4)));
      target.set(frame.subarray(0, this.filled));
      this.frame = target;
    }
    chunk.copy(target, this.filled, at, at + count);
    this.filled = needed;
    return count;
  }
}

/** Where the next small frames go. */
let slab = Buffer.alloc(0);
let slabUsed = 0;

/**
 * Memory for one frame, of any connection's.
 *
 * Each buffer of its own counts for V8 as memory outside its heap, and above a limit every new one makes it mark some of
 * the heap: with rows of a busy database in it, for hundreds of milliseconds.
 */
function takeMemory(bytes: number): Buffer {
  if (slabUsed + bytes > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  const taken = slab.subarray(slabUsed, slabUsed + bytes);
  slabUsed += bytes;
  return taken;
}
