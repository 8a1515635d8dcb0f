import { setTimeout as sleep } from 'node:timers/promises';
import { keyAt } from '../../../model/epochs/key-at.ts';
import type { ColumnBlock } from '../../../model/tensors/column-vector.ts';
import type { SpannerChannel } from '../channel.ts';
import { isLostSession } from '../spanner-errors.ts';
import { type ResultDecoder, resultDecoder } from './decoder.ts';
import type { RangeRead } from './range-read.ts';
import { type RangeRequest, rangeRequest } from './range-request.ts';
import { DecodeError, ReadRefusedError, ReadUnavailableError } from './reader-error.ts';

/** UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE: the same read may succeed. */
const RETRYABLE_CODES = new Set([2, 4, 8, 10, 13, 14]);
/** Tries in a row that give no whole row. */
const MAX_FRUITLESS_TRIES = 6;
const FIRST_PAUSE_MS = 50;
/** A stream that gives nothing for so long is cut and opened again. */
const SILENCE_MS = 60_000;

/**
 * Reads a key range in blocks of `blockRows` rows, straight from the bytes on the wire.
 *
 * A broken stream is opened again behind the last whole row: the blocks are the same as without the break. While the
 * caller works on a block the socket waits, so that memory holds one block and one window.
 *
 * @throws {ReadUnavailableError} after 6 tries in a row that gave no row
 * @throws {ReadRefusedError} when Spanner refuses: no such table or column, or a timestamp behind the retention period
 * @throws {DecodeError} for bytes that are no result
 */
export async function* readRange(
  channel: SpannerChannel,
  read: RangeRead,
): AsyncGenerator<ColumnBlock, void, undefined> {
  const decoder = resultDecoder(read.columns, read.blockRows, read);
  let afterKey = read.afterKey;
  for (let tries = 1; ; tries += 1) {
    const broken: { error?: unknown } = {};
    for await (const block of readOnce(channel, { ...read, afterKey }, decoder, broken)) {
      tries = 1;
      afterKey = keyAt(block, read.keyLength, block.rowCount - 1);
      yield block;
    }
    if (broken.error === undefined) break;
    const partial = decoder.view();
    if (partial.rowCount > 0) {
      const lastKey = keyAt(partial, read.keyLength, partial.rowCount - 1);
      if (JSON.stringify(lastKey) !== JSON.stringify(afterKey)) tries = 1;
      afterKey = lastKey;
    }
    await pauseOrThrow(read, broken.error, tries);
  }
  const last = decoder.finish();
  if (last) yield last;
}

/** One stream, until its end or its break, which is put into `broken`. */
async function* readOnce(
  channel: SpannerChannel,
  read: RangeRead,
  decoder: ResultDecoder,
  broken: { error?: unknown },
): AsyncGenerator<ColumnBlock, void, undefined> {
  let session = '';
  try {
    session = await channel.session();
    const { signal } = read;
    signal?.throwIfAborted();
    const { method, bytes } = rangeRequest(read, session);
    for await (const message of streamMessages(channel, { method, bytes, session, signal })) {
      yield* decoder.blocks(message);
    }
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    read.signal?.throwIfAborted();
    if (isLostSession(error)) channel.forgetSession(session);
    broken.error = error;
  }
}

/** The messages of one stream, which is given up when it is silent for long. */
export async function* streamMessages(
  channel: SpannerChannel,
  request: RangeRequest & { readonly session: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Buffer, void, undefined> {
  const { method, bytes, session, signal } = request;
  signal?.throwIfAborted();
  const call = channel.stream(method, bytes, { session });
  const cancel = (): void => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  let timer = setTimeout(cancel, SILENCE_MS);
  try {
    for await (const message of call as AsyncIterable<Buffer>) {
      clearTimeout(timer);
      yield message;
      timer = setTimeout(cancel, SILENCE_MS);
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/**
 * Waits before another try.
 *
 * @throws what makes another try useless, or was tried too often
 */
export async function pauseOrThrow(read: RangeRead, error: unknown, tries: number): Promise<void> {
  const code = codeOf(error);
  const isOurCancel = code === 1;
  const mayRetry = isOurCancel || isLostSession(error) || (code !== undefined && RETRYABLE_CODES.has(code));
  if (!mayRetry) throw code === undefined ? error : new ReadRefusedError(read.table, error);
  if (tries >= MAX_FRUITLESS_TRIES) throw new ReadUnavailableError(read.table, error);
  await sleep(
    FIRST_PAUSE_MS * 2 ** (tries - 1) * (1 + Math.random()),
    undefined,
    read.signal ? { signal: read.signal } : {},
  );
}

function codeOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}
