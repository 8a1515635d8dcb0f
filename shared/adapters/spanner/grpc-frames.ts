import { GrpcError } from './grpc-error.ts';

/** A flag for compression, and the length. */
const HEAD_BYTES = 5;
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;

/** What stands before a message of `length` bytes. */
export function frameHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head[0] = 0;
  head.writeUInt32BE(length, 1);
  return head;
}

/** Cuts what comes from the wire into messages; one that came in one piece is not copied. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the next frame, its head included; 0 as long as its head is not there. */
  #wanted = 0;

  /**
   * Takes a piece.
   *
   * @returns the messages that became whole
   * @throws {GrpcError} for a compressed message, or one of more than 128 MiB
   */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= HEAD_BYTES) {
      this.#wanted ||= this.#readHead();
      if (this.#bytes < this.#wanted) break;
      const all = this.#join();
      messages.push(all.subarray(HEAD_BYTES, this.#wanted));
      const rest = all.subarray(this.#wanted);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#bytes = rest.length;
      this.#wanted = 0;
    }
    return messages;
  }

  /** @throws {GrpcError} when the stream ended inside a message */
  finish(): void {
    if (this.#bytes > 0)
      throw new GrpcError('INTERNAL', `The answer ended inside a message, after ${this.#bytes} bytes`);
  }

  #readHead(): number {
    const first = this.#chunks[0];
    const head = first && first.length >= HEAD_BYTES ? first : this.#join();
    const length = head.readUInt32BE(1);
    if (head[0] !== 0) throw new GrpcError('INTERNAL', 'The answer is compressed, which was not asked for');
    if (length > MAX_MESSAGE_BYTES) {
      throw new GrpcError('RESOURCE_EXHAUSTED', `A message has ${length} bytes: the limit is ${MAX_MESSAGE_BYTES}`);
    }
    return HEAD_BYTES + length;
  }

  #join(): Buffer {
    const [only, second] = this.#chunks;
    if (only && !second) return only;
    const all = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [all];
    return all;
  }
}
