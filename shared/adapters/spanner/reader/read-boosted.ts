import type { Key, KeyColumn } from '../../../model/epochs/key.ts';
import { rangesBetween } from '../../../model/epochs/key-range.ts';
import { orderRows, Reblocker } from '../../../model/epochs/order-rows.ts';
import type { ColumnBlock } from '../../../model/tensors/column-vector.ts';
import type { SpannerChannel } from '../channel.ts';
import { decodePartitions } from '../response-bytes.ts';
import { isLostSession } from '../spanner-errors.ts';
import { resultDecoder } from './decoder.ts';
import type { RangeRead } from './range-read.ts';
import { type PartitionedRequest, partitionedRequest } from './range-request.ts';
import { pauseOrThrow, readRange, streamMessages } from './read-range.ts';
import { DecodeError, ReadRefusedError } from './reader-error.ts';

/** Rows of a piece as they come; one that has more is read plainly. */
const MAX_PIECE_BYTES = 32 * 1024 * 1024;
const PART_ROWS = 4_096;
/** Tokens that are made anew for one piece. */
const MAX_RENEWALS = 3;
/** Parts of a piece that are read at once. */
const CONCURRENCY = 4;

/** Where a range may be cut into pieces that fit into memory. */
export interface BoostedPieces {
  readonly key: readonly KeyColumn[];
  readonly cuts: readonly Key[];
}

/**
 * Reads a key range as `readRange` does, on Data Boost: machines that serve nobody else.
 *
 * Data Boost takes partition tokens alone. Those come in no order, cannot be sized, and rows of theirs have no order that is promised. So
 * the range is read piece by piece, each small enough for memory: its partitions are made, read whole, and their rows put into key
 * order before one is handed on. A piece that is interrupted is read again by new tokens, from any process. One that is too
 * large is read plainly.
 */
export async function* readBoosted(
  channel: SpannerChannel,
  read: RangeRead,
  { key, cuts }: BoostedPieces,
): AsyncGenerator<ColumnBlock, void, undefined> {
  const blocks = new Reblocker(read.blockRows);
  const { afterKey, ...rest } = read;
  for (const range of rangesBetween(key, { ...read.range, from: afterKey ?? read.range.from }, cuts)) {
    // Only the first piece begins behind a row that is known.
    const isAfter = afterKey !== undefined && range.from === afterKey;
    const piece = { ...rest, range, afterKey: isAfter ? afterKey : undefined, reuse: false };
    const rows = await readPiece(channel, piece, key);
    if (rows === 'too large') for await (const block of readRange(channel, piece)) yield* blocks.push(block);
    else if (rows) yield* blocks.push(rows);
  }
  const last = blocks.finish();
  if (last) yield last;
}

/** The rows of a piece, in key order. */
async function readPiece(
  channel: SpannerChannel,
  read: RangeRead,
  key: readonly KeyColumn[],
): Promise<ColumnBlock | 'too large' | undefined> {
  for (let tries = 1; ; tries += 1) {
    let session = '';
    let tokens: readonly Buffer[] = [];
    try {
      session = await channel.session();
      const request = partitionedRequest(read, session);
      const made = decodePartitions(await channel.unary(request.method, request.bytes, { session }));
      ({ tokens } = made);
      const parts = await readParts(channel, { read, request, session, ...made });
      return parts === 'too large' ? parts : orderRows(parts, key);
    } catch (error) {
      if (error instanceof DecodeError) throw error;
      read.signal?.throwIfAborted();
      if (isLostSession(error)) channel.forgetSession(session);
      // A token that has expired is refused: new ones are not.
      const isExpired = tokens.length > 0 && tries < MAX_RENEWALS && error instanceof ReadRefusedError;
      if (!isExpired) await pauseOrThrow(read, error, tries);
    }
  }
}

interface Parts {
  readonly read: RangeRead;
  readonly request: PartitionedRequest;
  readonly session: string;
  readonly tokens: readonly Buffer[];
  readonly transactionId: Buffer;
}

/** Reads the parts, a few at once, and no more of them when together they are too large. */
async function readParts(channel: SpannerChannel, parts: Parts): Promise<ColumnBlock[] | 'too large'> {
  const waiting = [...parts.tokens];
  const ending = new AbortController();
  const signal = parts.read.signal ? AbortSignal.any([parts.read.signal, ending.signal]) : ending.signal;
  const blocks: ColumnBlock[] = [];
  let bytes = 0;
  let failure: { readonly error: unknown } | undefined;
  const count = (more: number): void => {
    bytes += more;
    if (bytes > MAX_PIECE_BYTES) ending.abort();
  };
  const work = async (): Promise<void> => {
    for (let token = waiting.shift(); token !== undefined && !signal.aborted; token = waiting.shift()) {
      blocks.push(...(await readPart(channel, parts, { token, signal, count })));
    }
  };
  const readers = Array.from({ length: CONCURRENCY }, () =>
    work().catch((error: unknown) => {
      failure ??= { error };
      ending.abort();
    }),
  );
  await Promise.all(readers);
  if (bytes > MAX_PIECE_BYTES) return 'too large';
  if (failure) throw failure.error;
  return blocks;
}

interface Part {
  readonly token: Buffer;
  readonly signal: AbortSignal;
  /** Told of bytes as they come; of fewer when they are read again. */
  readonly count: (bytes: number) => void;
}

/** Reads one part whole; its token is good for another try. */
async function readPart(channel: SpannerChannel, parts: Parts, part: Part): Promise<ColumnBlock[]> {
  const { read, request, session, transactionId } = parts;
  const { method, bytes } = request.part(transactionId, part.token);
  for (let tries = 1; ; tries += 1) {
    const decoder = resultDecoder(read.columns, PART_ROWS);
    const blocks: ColumnBlock[] = [];
    let held = 0;
    try {
      for await (const message of streamMessages(channel, { method, bytes, session, signal: part.signal })) {
        held += message.length;
        part.count(message.length);
        blocks.push(...decoder.blocks(message));
      }
      const last = decoder.finish();
      return last ? [...blocks, last] : blocks;
    } catch (error) {
      if (error instanceof DecodeError || isLostSession(error) || part.signal.aborted) throw error;
      part.count(-held);
      await pauseOrThrow({ ...read, signal: part.signal }, error, tries);
    }
  }
}
