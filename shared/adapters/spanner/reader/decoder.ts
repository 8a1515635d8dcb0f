import type { ColumnBlock } from '../../../model/tensors/column-vector.ts';
import { grown } from './column-slots.ts';
import { type ColumnBuilder, columnBuilder } from './columns.ts';
import { joinPieces, type Piece, readPiece, writePiece } from './pieces.ts';
import { readFieldEnd, readVarint, skipField, type WireCursor, type WireValues, wireVarint } from './protobuf-wire.ts';
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
   * Decodes one message, as its blocks are asked for: to be gone through to its end, for what is left of it is kept too.
   *
   * @returns the blocks that become full
   * @throws {DecodeError} for bytes that are no such message; the decoder is of no use afterwards
   */
  blocks(message: Buffer): Generator<ColumnBlock, void, undefined>;
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
 * @param options.reuse a block is good until the next is asked for: its arrays are used again
 */
export function resultDecoder(
  columns: readonly string[],
  blockRows: number,
  { reuse = false }: { readonly reuse?: boolean } = {},
): ResultDecoder {
  return new Decoder(columns, blockRows, reuse);
}

/** The values of one message, found before any is read: then each column is read in one go. */
class FoundValues implements WireValues {
  bytes: Buffer = Buffer.alloc(0);
  froms = new Int32Array(1024);
  tos = new Int32Array(1024);
  count = 0;

  reset(bytes: Buffer): void {
    this.bytes = bytes;
    this.count = 0;
  }

  add(from: number, to: number): void {
    if (this.count === this.froms.length) {
      this.froms = grown(this.froms, new Int32Array(this.count * 2));
      this.tos = grown(this.tos, new Int32Array(this.count * 2));
    }
    this.froms[this.count] = from;
    this.tos[this.count] = to;
    this.count += 1;
  }
}

class Decoder implements ResultDecoder {
  readonly #names: readonly string[];
  readonly #blockRows: number;
  readonly #reuse: boolean;
  readonly #values = new FoundValues();
  #builders: readonly ColumnBuilder[] = [];
  #types = '';
  /** Of the value that comes next. */
  #column = 0;
  #rows = 0;
  #pending: Piece | undefined;
  #pendingBytes = 0;

  constructor(names: readonly string[], blockRows: number, reuse: boolean) {
    this.#names = names;
    this.#blockRows = blockRows;
    this.#reuse = reuse;
  }

  get rowCount(): number {
    return this.#rows;
  }

  *blocks(message: Buffer): Generator<ColumnBlock, void, undefined> {
    const isChunked = this.#find(message);
    const { count } = this.#values;
    if (count === 0) {
      if (isChunked) throw new DecodeError('a message without values says that its last value goes on');
      return;
    }
    if (this.#builders.length === 0) throw new DecodeError('values came before the description of their columns');
    // Whether the last value is whole is said behind it: it is held back.
    const whole = isChunked ? count - 1 : count;
    let next = 0;
    if (this.#pending !== undefined && whole > 0) {
      this.#appendJoined();
      next = 1;
      if (this.#rows === this.#blockRows) yield this.#takeBlock();
    }
    while (next < whole) {
      const untilFull = (this.#blockRows - this.#rows) * this.#builders.length - this.#column;
      const stop = Math.min(whole, next + untilFull);
      this.#append(this.#values, next, stop);
      next = stop;
      if (this.#rows === this.#blockRows) yield this.#takeBlock();
    }
    if (isChunked) this.#hold(count - 1);
  }

  /** @returns whether the last value goes on in the next message */
  #find(message: Buffer): boolean {
    const values = this.#values;
    values.reset(message);
    const cursor: WireCursor = { bytes: message, at: 0, end: message.length };
    let isChunked = false;
    while (cursor.at < message.length) {
      cursor.at = findPlainValues(values, cursor.at);
      if (cursor.at === message.length) break;
      const tag = readVarint(cursor);
      if (tag === VALUES) {
        const to = readFieldEnd(cursor);
        values.add(cursor.at, to);
        cursor.at = to;
      } else if (tag === METADATA) {
        this.#describe(cursor);
      } else if (tag === CHUNKED_VALUE) {
        isChunked = readVarint(cursor) !== 0;
      } else {
        if (tag < 8 || (tag >> 3 <= 3 && tag % 8 !== wireVarint)) throw new DecodeError(`tag ${tag} is unknown`);
        skipField(cursor, tag % 8);
      }
    }
    return isChunked;
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
    this.#builders = columns.map((column) => columnBuilder(column, this.#blockRows, this.#reuse));
  }

  /** Keeps the beginning of a value that goes on in the next message. */
  #hold(value: number): void {
    const { bytes, froms, tos } = this.#values;
    const from = froms[value] ?? 0;
    const to = tos[value] ?? 0;
    this.#pendingBytes += to - from;
    if (this.#pendingBytes > MAX_PIECE_BYTES) throw new DecodeError(`a value has more than ${MAX_PIECE_BYTES} bytes`);
    const piece = readPiece({ bytes, at: from, end: to });
    this.#pending = this.#pending === undefined ? piece : joinPieces(this.#pending, piece);
  }

  /** The message's first value is the end of the one that was held. */
  #appendJoined(): void {
    this.#hold(0);
    const bytes = writePiece(this.#pending ?? null);
    this.#pending = undefined;
    this.#pendingBytes = 0;
    this.#append({ bytes, froms: Int32Array.of(0), tos: Int32Array.of(bytes.length) }, 0, 1);
  }

  /** Reads values up to `stop`, which lies in the block: column by column, each to its last row. */
  #append(values: WireValues, first: number, stop: number): void {
    const width = this.#builders.length;
    for (const [column, builder] of this.#builders.entries()) {
      const own = first + ((column - this.#column + width) % width);
      if (own < stop) builder.appendEach(values, own, stop, width);
    }
    const read = this.#column + stop - first;
    this.#rows += Math.floor(read / width);
    this.#column = read % width;
  }

  #takeBlock(): ColumnBlock {
    const rowCount = this.#rows;
    this.#rows = 0;
    return { rowCount, columns: this.#builders.map((builder) => builder.take()) };
  }
}

/**
 * Finds values of fewer than 128 bytes that follow each other, as nearly all do.
 *
 * @returns where something else begins
 */
function findPlainValues(values: FoundValues, from: number): number {
  const { bytes } = values;
  let at = from;
  while (bytes[at] === VALUES) {
    const length = bytes[at + 1] ?? 0x80;
    const to = at + 2 + length;
    if (length >= 0x80 || to > bytes.length) return at;
    values.add(at + 2, to);
    at = to;
  }
  return at;
}
