import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';
import { splitRow } from './split-row.ts';
import { ValueWriter } from './value-writer.ts';
import { type WireForm, wireForm } from './wire-form.ts';

/** How large messages become. */
export interface MessageSizes {
  /** A message ends with the row that takes it over this. */
  readonly messageBytes: number;
  /** A row over this is cut into pieces. */
  readonly rowBytes: number;
  readonly pieceCharacters: number;
}

const SIZES: MessageSizes = { messageBytes: 128 * 1024, rowBytes: 1024 * 1024, pieceCharacters: 256 * 1024 };

/** Fields of `google.spanner.v1.PartialResultSet`. */
const METADATA = 0x0a;
const VALUES = 0x12;
const CHUNKED_VALUE = 0x18;
const RESUME_TOKEN = 0x22;
const STATS = 0x2a;
const PRECOMMIT_TOKEN = 0x42;
const LAST = 0x48;

/** Where a stream goes on: behind a row, and behind the first pieces of the row after it. */
export interface StreamPosition {
  /** Microseconds since 1970. */
  readonly timestamp: number;
  /** Rows given so far. */
  readonly rows: number;
  /** Messages given of the row that comes next. */
  readonly pieces: number;
  /** Key of the last whole row. */
  readonly key: string | undefined;
}

/** A row with its key, as reads and queries give it. */
export type StreamRow = readonly [key: string, cells: readonly Cell[]];

export interface ResultStreamOptions {
  readonly rows: Iterable<StreamRow>;
  /** Places of the wanted cells in a row, and their types. */
  readonly places: readonly number[];
  readonly types: readonly SpannerType[];
  /** Encoded `ResultSetMetadata`, sent with the first message. */
  readonly metadata: Uint8Array;
  readonly position: StreamPosition;
  /** Encoded `ResultSetStats`, sent with the last message. */
  readonly stats?: Uint8Array | undefined;
  /** Encoded `MultiplexedSessionPrecommitToken`, sent with every message. */
  readonly precommitToken?: Uint8Array | undefined;
  readonly sizes?: MessageSizes;
}

/** Encodes rows as PartialResultSets of bounded size, each with a token that lets the stream go on behind it. */
export function* resultStream(options: ResultStreamOptions): Generator<Buffer, void, undefined> {
  const { places, types, sizes = SIZES } = options;
  const writer = new ValueWriter(sizes.messageBytes * 2);
  const finish = (position: StreamPosition, isLast: boolean): Buffer =>
    finishMessage(writer, options, position, isLast);
  let position = options.position;
  writer.field(METADATA, options.metadata);
  let skipPieces = position.pieces;
  for (const [key, cells] of options.rows) {
    if (writer.length > sizes.messageBytes) yield finish(position, false);
    const start = writer.length;
    for (let i = 0; i < places.length; i++) {
      writer.value(VALUES, wireForm(cells[places[i] as number] ?? null, types[i] as SpannerType));
    }
    const after = { timestamp: position.timestamp, rows: position.rows + 1, pieces: 0, key };
    if (writer.length - start > sizes.rowBytes) {
      writer.truncate(start);
      if (position.rows > options.position.rows) yield finish(position, false);
      const row = places.map((place, i) => wireForm(cells[place] ?? null, types[i] as SpannerType));
      yield* largeRow(row, { writer, before: position, skip: skipPieces, size: sizes.pieceCharacters, finish });
      // The last piece stays in the writer and is sent with what follows.
    }
    skipPieces = 0;
    position = after;
  }
  yield finish(position, true);
}

function* largeRow(
  row: readonly WireForm[],
  options: {
    writer: ValueWriter;
    before: StreamPosition;
    skip: number;
    size: number;
    finish: (position: StreamPosition, isLast: boolean) => Buffer;
  },
): Generator<Buffer, void, undefined> {
  const { writer, before, skip, size, finish } = options;
  let pieces = 0;
  let pending = false;
  let chunked = false;
  for (const piece of splitRow(row, size)) {
    if (pending) {
      if (chunked) writer.flag(CHUNKED_VALUE);
      yield finish({ ...before, pieces }, false);
    }
    pieces += 1;
    if (pieces <= skip) continue;
    for (const form of piece.values) writer.value(VALUES, form);
    pending = true;
    chunked = piece.chunked;
  }
}

function finishMessage(
  writer: ValueWriter,
  options: ResultStreamOptions,
  position: StreamPosition,
  isLast: boolean,
): Buffer {
  writer.field(RESUME_TOKEN, encodePosition(position));
  if (options.precommitToken) writer.field(PRECOMMIT_TOKEN, options.precommitToken);
  if (isLast && options.stats) writer.field(STATS, options.stats);
  if (isLast) writer.flag(LAST);
  return writer.take();
}

/** A resume token: plain data, good for any process that has the same rows. */
export function encodePosition(position: StreamPosition): Buffer {
  const { timestamp, rows, pieces, key } = position;
  return Buffer.from(`${timestamp}/${rows}/${pieces}/${key === undefined ? '' : `k${key}`}`, 'latin1');
}

/** Reads a resume token; INVALID_ARGUMENT if it is none. */
export function decodePosition(token: Uint8Array): StreamPosition {
  const match = /^(\d{1,16})\/(\d{1,15})\/(\d{1,9})\/(?:k(.*))?$/s.exec(Buffer.from(token).toString('latin1'));
  if (!match) throw new RpcError(status.INVALID_ARGUMENT, 'Invalid resume token: give one back as it was received.');
  const [, timestamp, rows, pieces, key] = match;
  return { timestamp: Number(timestamp), rows: Number(rows), pieces: Number(pieces), key };
}
