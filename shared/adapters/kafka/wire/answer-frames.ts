import { MalformedAnswerError } from '../kafka-errors.ts';

const LENGTH_BYTES = 4;
const MIN_FRAME_BYTES = 4;

/**
 * Cuts what a broker sends into answers: each into a buffer of its own, which the views of its records may keep.
 *
 * An answer's length is bounded before memory for it is taken.
 */
export class AnswerFrames {
  private readonly onFrame: (frame: Buffer) => void;
  private readonly length = Buffer.allocUnsafe(LENGTH_BYTES);
  private lengthFilled = 0;
  private frame: Buffer | undefined;
  private filled = 0;
  maxBytes: number;

  constructor(maxBytes: number, onFrame: (frame: Buffer) => void) {
    this.maxBytes = maxBytes;
    this.onFrame = onFrame;
  }

  /** @throws {MalformedAnswerError} for a length that no answer of a broker has */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) at = this.frame ? this.fill(this.frame, chunk, at) : this.begin(chunk, at);
  }

  private begin(chunk: Buffer, from: number): number {
    let at = from;
    while (this.lengthFilled < LENGTH_BYTES && at < chunk.length) {
      this.length[this.lengthFilled++] = chunk[at++] ?? 0;
    }
    if (this.lengthFilled < LENGTH_BYTES) return at;
    const bytes = this.length.readInt32BE(0);
    if (bytes < MIN_FRAME_BYTES || bytes > this.maxBytes) {
      throw new MalformedAnswerError(`announces ${bytes} bytes, where up to ${this.maxBytes} are expected`);
    }
    this.lengthFilled = 0;
    // Not from the pool: a view of one record would keep the pool's other tenants.
    this.frame = Buffer.allocUnsafeSlow(bytes);
    this.filled = 0;
    return at;
  }

  private fill(frame: Buffer, chunk: Buffer, from: number): number {
    const count = Math.min(frame.length - this.filled, chunk.length - from);
    chunk.copy(frame, this.filled, from, from + count);
    this.filled += count;
    if (this.filled === frame.length) {
      this.frame = undefined;
      this.onFrame(frame);
    }
    return from + count;
  }
}
