import { GrpcError } from './grpc-error.ts';

/** A flag for compression, and the length. */
const HEAD_BYTES = 5;
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
const FIRST_ROOM_BYTES = 256 * 1024;

/** What stands before a message of `length` bytes. */
export function frameHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head[0] = 0;
  head.writeUInt32BE(length, 1);
  return head;
}

/**
 * Cuts what comes from the wire into messages. One that came in one piece is not copied; of another each piece is copied where it
 * belongs as it comes, so that it does not lie in memory twice.
 */
export class FrameReader {
  readonly #reuse: boolean;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  /** Of the message that came in part, once its head is there; -1 before. */
  #wanted = -1;
  #filled = 0;
  #room: Buffer = Buffer.alloc(0);
  /** Of the message before: a piece that ends one may begin the next. */
  #lastRoom: Buffer = Buffer.alloc(0);

  /** @param options.reuse a message is good until the next piece is pushed */
  constructor({ reuse = false }: { readonly reuse?: boolean } = {}) {
    this.#reuse = reuse;
  }

  /**
   * Takes a piece.
   *
   * @returns the messages that became whole
   * @throws {GrpcError} for a compressed message, or one of more than 128 MiB
   */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#wanted < 0) {
        if (this.#headBytes === 0 && chunk.length - at >= HEAD_BYTES) {
          const from = at + HEAD_BYTES;
          const to = from + readHead(chunk, at);
          if (to <= chunk.length) {
            messages.push(chunk.subarray(from, to));
            at = to;
            continue;
          }
        }
        at += this.#takeHead(chunk, at);
        if (this.#headBytes < HEAD_BYTES) break;
        this.#wanted = readHead(this.#head, 0);
        this.#filled = 0;
      }
      at += this.#fill(chunk, at);
      if (this.#filled === this.#wanted) messages.push(this.#takeMessage());
    }
    return messages;
  }

  /** @throws {GrpcError} when the stream ended inside a message */
  finish(): void {
    const bytes = this.#headBytes + Math.max(0, this.#filled);
    if (bytes > 0) throw new GrpcError('INTERNAL', `The answer ended inside a message, after ${bytes} bytes`);
  }

  #takeHead(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#head, this.#headBytes, at, at + HEAD_BYTES - this.#headBytes);
    this.#headBytes += taken;
    return taken;
  }

  #fill(chunk: Buffer, at: number): number {
    const taken = Math.min(chunk.length - at, this.#wanted - this.#filled);
    const needed = this.#filled + taken;
    if (needed > this.#room.length) {
      // What a head says of a message's length is believed as its bytes come.
      const size = Math.max(needed, Math.min(this.#wanted, Math.max(FIRST_ROOM_BYTES, this.#room.length * 2)));
      const wider = Buffer.allocUnsafeSlow(size);
      this.#room.copy(wider, 0, 0, this.#filled);
      this.#room = wider;
    }
    chunk.copy(this.#room, this.#filled, at, at + taken);
    this.#filled += taken;
    return taken;
  }

  #takeMessage(): Buffer {
    const message = this.#room.subarray(0, this.#filled);
    const next = this.#reuse ? this.#lastRoom : Buffer.alloc(0);
    if (this.#reuse) this.#lastRoom = this.#room;
    this.#room = next;
    this.#headBytes = 0;
    this.#wanted = -1;
    this.#filled = 0;
    return message;
  }
}

/** @returns the message's length */
function readHead(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 1);
  if (bytes[at] !== 0) throw new GrpcError('INTERNAL', 'The answer is compressed, which was not asked for');
  if (length > MAX_MESSAGE_BYTES) {
    throw new GrpcError('RESOURCE_EXHAUSTED', `A message has ${length} bytes: the limit is ${MAX_MESSAGE_BYTES}`);
  }
  return length;
}
