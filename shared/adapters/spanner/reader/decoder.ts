import type { ColumnBlock } from '../../../model/tensors/column-vector.ts';
import { type ColumnBuilder, columnBuilder } from './columns.ts';
import { joinPieces, type Piece, readPiece, writePiece } from './pieces.ts';
import { readFieldEnd, readVarint, skipField, type WireCursor, wireVarint } from './protobuf-wire.ts';
import { DecodeError } from './reader-error.ts';
import { type ResultColumn, readResultMetadata } from './result-metadata.ts';

/** Tags of `google.spanner.v1.PartialResultSet`. */
const METADATA = 0x0a;
const VALUES = 0x12;
const CHUNKED_VALUE = 0x18;

/** Bytes of one value that came in pieces: Spanner's largest cell is 10 MiB, its base64 and a list of it more. */
const MAX_PIECE_BYTES = 64 * 1024 * 1024;

/** Turns the bytes of PartialResultSets into blocks of typed columns, without an object for a row or a value. */
export interface ResultDecoder {
  /** Whole rows that were decoded and not yet handed out. */
  readonly rowCount: number;
  /**
   * Decodes one message.
   *
   * @returns the blocks that became full
   * @throws {DecodeError} for bytes that are no such message; the decoder is of no use afterwards
   */
  push(message: Buffer): ColumnBlock[];
  /**
   * The rows left over, when the stream has ended.
   *
   * @throws {DecodeError} when it ended inside a row
   */
  finish(): ColumnBlock | undefined;
  /**
   * The whole rows that were not yet handed out; good until the next call. A row that came in part is forgotten: the stream
   * broke and goes on behind the last whole row.
   */
  view(): ColumnBlock;
}

/**
 * Makes a decoder.
 *
 * @param columns names, as they were asked for: the result must have these
 * @param blockRows rows of a full block
 */
export function resultDecoder(columns: readonly string[], blockRows: number): ResultDecoder {
  return new Decoder(columns, blockRows);
}

class Decoder implements ResultDecoder {
  readonly #names: readonly string[];
  readonly #blockRows: number;
  readonly #full: ColumnBlock[] = [];
  #builders: readonly ColumnBuilder[] = [];
  #types = '';
  /** Of the value that comes next. */
  #column = 0;
  #rows = 0;
  #pending: Piece | undefined;
  #pendingBytes = 0;

  constructor(names: readonly string[], blockRows: number) {
    this.#names = names;
    this.#blockRows = blockRows;
  }

  get rowCount(): number {
    return this.#rows;
  }

  push(message: Buffer): ColumnBlock[] {
    const cursor: WireCursor = { bytes: message, at: 0, end: message.length };
    // Whether the last value is whole is said behind it: it is held back.
    let heldFrom = -1;
    let heldTo = -1;
    let isChunked = false;
    while (cursor.at < message.length) {
      const tag = readVarint(cursor);
      if (tag === VALUES) {
        if (heldFrom >= 0) this.#take(message, heldFrom, heldTo);
        heldTo = readFieldEnd(cursor);
        heldFrom = cursor.at;
        cursor.at = heldTo;
      } else if (tag === METADATA) {
        this.#describe(cursor);
      } else if (tag === CHUNKED_VALUE) {
        isChunked = readVarint(cursor) !== 0;
      } else {
        if (tag < 8 || (tag >> 3 <= 3 && tag % 8 !== wireVarint)) throw new DecodeError(`tag ${tag} is unknown`);
        skipField(cursor, tag % 8);
      }
    }
    if (heldFrom >= 0) {
      if (isChunked) this.#hold(message, heldFrom, heldTo);
      else this.#take(message, heldFrom, heldTo);
    } else if (isChunked) throw new DecodeError('a message without values says that its last value goes on');
    return this.#full.splice(0);
  }

  #rewind(): void {
    for (const builder of this.#builders) builder.truncate(this.#rows);
    this.#column = 0;
    this.#pending = undefined;
    this.#pendingBytes = 0;
  }

  view(): ColumnBlock {
    this.#rewind();
    return { rowCount: this.#rows, columns: this.#builders.map((builder) => builder.view()) };
  }

  finish(): ColumnBlock | undefined {
    if (this.#column !== 0 || this.#pending !== undefined) throw new DecodeError('it ended inside a row');
    return this.#rows === 0 ? undefined : this.#takeBlock();
  }

  #describe(cursor: WireCursor): void {
    const end = readFieldEnd(cursor);
    const columns = readResultMetadata({ bytes: cursor.bytes, at: cursor.at, end });
    cursor.at = end;
    this.#accept(columns);
  }

  #accept(columns: readonly ResultColumn[]): void {
    const types = columns.map(({ name, code, array }) => `${name} ${code}${array ? '[]' : ''}`).join();
    if (types === this.#types) return;
    if (this.#types !== '') throw new DecodeError(`its columns were ${this.#types} and are now ${types}`);
    const isAsked =
      columns.length === this.#names.length &&
      columns.every(({ name }, index) => name.toLowerCase() === this.#names[index]?.toLowerCase());
    if (!isAsked) throw new DecodeError(`columns ${this.#names.join()} were asked for, it has ${types}`);
    this.#types = types;
    this.#builders = columns.map((column) => columnBuilder(column, this.#blockRows));
  }

  /** Keeps the beginning of a value that goes on in the next message. */
  #hold(message: Buffer, from: number, to: number): void {
    this.#pendingBytes += to - from;
    if (this.#pendingBytes > MAX_PIECE_BYTES) throw new DecodeError(`a value has more than ${MAX_PIECE_BYTES} bytes`);
    const piece = readPiece({ bytes: message, at: from, end: to });
    this.#pending = this.#pending === undefined ? piece : joinPieces(this.#pending, piece);
  }

  #take(message: Buffer, from: number, to: number): void {
    if (this.#pending === undefined) {
      this.#append({ bytes: message, at: from, end: to });
      return;
    }
    this.#hold(message, from, to);
    const whole = writePiece(this.#pending);
    this.#pending = undefined;
    this.#pendingBytes = 0;
    this.#append({ bytes: whole, at: 0, end: whole.length });
  }

  #append(cursor: WireCursor): void {
    const builder = this.#builders[this.#column];
    if (builder === undefined) throw new DecodeError('values came before the description of their columns');
    builder.append(cursor);
    this.#column += 1;
    if (this.#column < this.#builders.length) return;
    this.#column = 0;
    this.#rows += 1;
    if (this.#rows === this.#blockRows) this.#full.push(this.#takeBlock());
  }

  #takeBlock(): ColumnBlock {
    const rowCount = this.#rows;
    this.#rows = 0;
    return { rowCount, columns: this.#builders.map((builder) => builder.take()) };
  }
}
