import { isUtf8 } from 'node:buffer';
import type { Cell } from '../../model/events/values/cell.ts';
import { readDate, readTimestamp } from '../../model/events/values/timestamp.ts';
import { joinPieces, type Piece, readPiece } from './reader/pieces.ts';
import { eachField, readFieldEnd, readVarint, type WireCursor, wireBytes, wireVarint } from './reader/protobuf-wire.ts';
import { DecodeError } from './reader/reader-error.ts';
import { type ResultColumn, readResultMetadata } from './reader/result-metadata.ts';
import { decodePrecommitToken, decodeTransaction, eachMessageField, type PrecommitToken } from './response-bytes.ts';

/** Fields of `google.spanner.v1.PartialResultSet`. */
const METADATA = 1;
const VALUES = 2;
const CHUNKED_VALUE = 3;
const PRECOMMIT_TOKEN = 8;
const LAST = 9;
const NEWEST_KNOWN = 10;
/** Of `ResultSetMetadata`. */
const TRANSACTION = 2;

/** What a transaction reads must fit into memory with it. */
const MAX_RESULT_BYTES = 256 * 1024 * 1024;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const INT64 = /^-?\d{1,19}$/;
const SAFE_DIGITS = 15;
const NUMERIC = /^-?\d{1,29}(?:\.\d{1,9})?$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Turns PartialResultSets into rows of cells: for the few rows that a transaction reads or a query gives. Whole tables go
 * through `resultDecoder`, without an object for a row.
 *
 * Every value must be one that its column's type can have, so that bytes which were damaged on their way do not pass for
 * another value. Timestamps come in the form in which `readTimestamp` gives them.
 */
export class RowDecoder {
  readonly rows: Cell[][] = [];
  /** As the metadata gave it, for a transaction that began with the call. */
  transactionId: Buffer | undefined;
  /** The newest. */
  precommitToken: PrecommitToken | undefined;
  columns: readonly ResultColumn[] = [];
  readonly #asked: readonly string[] | undefined;
  #row: Cell[] = [];
  #pending: Piece | undefined;
  #bytes = 0;

  /** @param asked names of the columns that a read asked for; undefined for a query */
  constructor(asked?: readonly string[]) {
    this.#asked = asked;
  }

  /** Decodes one message; @throws {DecodeError} for bytes that are no such message */
  push(message: Buffer): void {
    this.#bytes += message.length;
    if (this.#bytes > MAX_RESULT_BYTES) throw new DecodeError(`the result has more than ${MAX_RESULT_BYTES} bytes`);
    const cursor: WireCursor = { bytes: message, at: 0, end: message.length };
    // Whether the last value is whole is said behind it: it is held back.
    let held: WireCursor | undefined;
    let isChunked = false;
    eachField(cursor, (field, wireType) => {
      const kind = field === CHUNKED_VALUE || field === LAST ? wireVarint : wireBytes;
      if (field <= NEWEST_KNOWN && wireType !== kind) throw new DecodeError(`field ${field} is of another kind`);
      if (field === CHUNKED_VALUE) {
        isChunked = readVarint(cursor) !== 0;
        return true;
      }
      if (field !== METADATA && field !== VALUES && field !== PRECOMMIT_TOKEN) return false;
      const end = readFieldEnd(cursor);
      if (field === VALUES) {
        if (held) this.#take(held);
        held = { bytes: message, at: cursor.at, end };
      } else this.#readHead(field, message.subarray(cursor.at, end));
      cursor.at = end;
      return true;
    });
    if (held && isChunked) this.#hold(held);
    else if (held) this.#take(held);
    else if (isChunked) throw new DecodeError('a message without values says that its last value goes on');
  }

  /** Ends the result; @throws {DecodeError} when it ended inside a row, or before it began */
  finish(): Cell[][] {
    if (this.columns.length === 0) throw new DecodeError('it has no columns');
    if (this.#row.length > 0 || this.#pending !== undefined) throw new DecodeError('it ended inside a row');
    return this.rows;
  }

  #readHead(field: number, content: Buffer): void {
    if (field === PRECOMMIT_TOKEN) {
      this.#keepToken(decodePrecommitToken(content));
      return;
    }
    const columns = readResultMetadata({ bytes: content, at: 0, end: content.length });
    eachMessageField(content, (inner, bytes) => {
      if (inner !== TRANSACTION) return;
      const { id, precommitToken } = decodeTransaction(bytes);
      if (id.length > 0) this.transactionId = id;
      if (precommitToken) this.#keepToken(precommitToken);
    });
    this.#accept(columns);
  }

  #keepToken(token: PrecommitToken): void {
    if (!this.precommitToken || token.sequence > this.precommitToken.sequence) this.precommitToken = token;
  }

  #accept(columns: readonly ResultColumn[]): void {
    const asked = this.#asked;
    const isAsked =
      !asked ||
      (columns.length === asked.length &&
        columns.every(({ name }, at) => name.toLowerCase() === asked[at]?.toLowerCase()));
    const names = columns.map(({ name }) => name).join();
    if (!isAsked) throw new DecodeError(`columns ${asked?.join()} were asked for, it has ${names}`);
    if (this.columns.length > 0 && JSON.stringify(columns) !== JSON.stringify(this.columns)) {
      throw new DecodeError(`its columns changed to ${names}`);
    }
    this.columns = columns;
  }

  #hold(cursor: WireCursor): void {
    const piece = readPiece(cursor);
    if (cursor.at !== cursor.end) throw new DecodeError('a piece of a value has bytes behind it');
    this.#pending = this.#pending === undefined ? piece : joinPieces(this.#pending, piece);
  }

  #take(cursor: WireCursor): void {
    this.#hold(cursor);
    const piece = this.#pending;
    this.#pending = undefined;
    const column = this.columns[this.#row.length];
    if (column === undefined || piece === undefined) throw new DecodeError('values came before their columns');
    this.#row.push(column.array ? listCell(piece, column) : scalarCell(piece, column));
    if (this.#row.length < this.columns.length) return;
    this.rows.push(this.#row);
    this.#row = [];
  }
}

function listCell(piece: Piece, column: ResultColumn): Cell {
  if (piece === null) return null;
  if (!isList(piece)) throw misfit(column, 'a single value');
  return piece.map((item) => scalarCell(item, column));
}

function scalarCell(piece: Piece, column: ResultColumn): Cell {
  const { code } = column;
  if (piece === null) return null;
  if (typeof piece === 'boolean') {
    if (code !== 'BOOL') throw misfit(column, 'a BOOL');
    return piece;
  }
  const isFloat = code === 'FLOAT64' || code === 'FLOAT32';
  if (typeof piece === 'number') {
    if (!isFloat || !Number.isFinite(piece)) throw misfit(column, 'a number');
    return piece;
  }
  if (!Buffer.isBuffer(piece)) throw misfit(column, 'a list');
  if (!isUtf8(piece)) throw misfit(column, 'a text that is no UTF-8');
  return textCell(piece.toString('utf8'), column);
}

function textCell(text: string, column: ResultColumn): Cell {
  switch (column.code) {
    case 'STRING':
    case 'JSON':
      return text;
    case 'TIMESTAMP':
      return readTimestamp(text) ?? refuse(text, column);
    case 'DATE':
      return readDate(text) ?? refuse(text, column);
    case 'INT64':
      return isInt64(text) ? text : refuse(text, column);
    case 'NUMERIC':
      return NUMERIC.test(text) ? text : refuse(text, column);
    case 'BYTES':
      return text.length % 4 === 0 && BASE64.test(text) ? text : refuse(text, column);
    case 'UUID':
      return UUID.test(text) ? text : refuse(text, column);
    case 'FLOAT32':
    case 'FLOAT64':
      return text === 'NaN' || text === 'Infinity' || text === '-Infinity' ? text : refuse(text, column);
    case 'BOOL':
      return refuse(text, column);
  }
}

function isInt64(text: string): boolean {
  if (!INT64.test(text)) return false;
  if (text.length <= SAFE_DIGITS) return true;
  const value = BigInt(text);
  return value >= MIN_INT64 && value <= MAX_INT64;
}

function isList(piece: Piece): piece is readonly Piece[] {
  return Array.isArray(piece);
}

function refuse(text: string, column: ResultColumn): never {
  throw misfit(column, JSON.stringify(text.slice(0, 40)));
}

function misfit({ name, code, array }: ResultColumn, got: string): DecodeError {
  return new DecodeError(`column ${name} of type ${array ? `ARRAY<${code}>` : code} holds ${got}`);
}
