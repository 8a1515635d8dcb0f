import { eachField, readFieldEnd, readVarint, type WireCursor, wireBytes, wireVarint } from './reader/protobuf-wire.ts';
import { DecodeError } from './reader/reader-error.ts';

/** Lets a read-write transaction of a multiplexed session commit; the one with the highest number counts. */
export interface PrecommitToken {
  /** The encoded `MultiplexedSessionPrecommitToken`, as it goes back. */
  readonly bytes: Buffer;
  readonly sequence: number;
}

/** What an answer says of the transaction that it belongs to. */
export interface TransactionBytes {
  readonly id: Buffer;
  readonly precommitToken: PrecommitToken | undefined;
}

/** Name in an encoded `Session`; @throws {DecodeError} */
export function decodeSession(bytes: Buffer): string {
  let name = '';
  eachMessageField(bytes, (field, content) => {
    if (field === 1) name = content.toString('utf8');
  });
  if (name === '') throw new DecodeError('a session has no name');
  return name;
}

/** Decodes a `Transaction`; @throws {DecodeError} */
export function decodeTransaction(bytes: Buffer): TransactionBytes {
  let id = Buffer.alloc(0);
  let precommitToken: PrecommitToken | undefined;
  eachMessageField(bytes, (field, content) => {
    if (field === 1) id = Buffer.from(content);
    if (field === 3) precommitToken = decodePrecommitToken(content);
  });
  return { id, precommitToken };
}

/** Decodes a `PartitionResponse` whose call began a transaction; @throws {DecodeError} */
export function decodePartitions(bytes: Buffer): { readonly tokens: Buffer[]; readonly transactionId: Buffer } {
  const tokens: Buffer[] = [];
  let transactionId = Buffer.alloc(0);
  eachMessageField(bytes, (field, content) => {
    if (field === 1) eachMessageField(content, (inner, token) => void (inner === 1 && tokens.push(Buffer.from(token))));
    if (field === 2) transactionId = Buffer.from(decodeTransaction(content).id);
  });
  if (tokens.length > 0 && transactionId.length === 0) throw new DecodeError('partitions have no transaction');
  return { tokens, transactionId };
}

/** Decodes a `MultiplexedSessionPrecommitToken`; @throws {DecodeError} */
export function decodePrecommitToken(bytes: Buffer): PrecommitToken {
  const cursor: WireCursor = { bytes, at: 0, end: bytes.length };
  let sequence = 0;
  eachField(cursor, (field, wireType) => {
    if (field !== 2 || wireType !== wireVarint) return false;
    sequence = readVarint(cursor);
    return true;
  });
  return { bytes: Buffer.from(bytes), sequence };
}

/**
 * Decodes a `CommitResponse`.
 *
 * @returns the token to commit again with when the transaction has not committed yet; undefined when it has
 * @throws {DecodeError} for bytes that do not say so
 */
export function decodeCommitRetry(bytes: Buffer): PrecommitToken | undefined {
  let retry: PrecommitToken | undefined;
  let isStamped = false;
  eachMessageField(bytes, (field, content) => {
    if (field === 1) isStamped = content.length > 0;
    if (field === 4) retry = decodePrecommitToken(content);
  });
  if (!isStamped && !retry)
    throw new DecodeError('a commit has neither its timestamp nor a token to commit again with');
  return retry;
}

/** The pause that a `google.rpc.RetryInfo` asks for, in milliseconds; undefined when it names none. */
export function decodeRetryDelayMs(bytes: Buffer): number | undefined {
  let delayMs: number | undefined;
  eachMessageField(bytes, (field, content) => {
    if (field === 1) delayMs = durationMs(content);
  });
  return delayMs;
}

function durationMs(bytes: Buffer): number {
  const cursor: WireCursor = { bytes, at: 0, end: bytes.length };
  let ms = 0;
  eachField(cursor, (field, wireType) => {
    if (wireType !== wireVarint || (field !== 1 && field !== 2)) return false;
    ms += field === 1 ? readVarint(cursor) * 1000 : readVarint(cursor) / 1e6;
    return true;
  });
  return ms;
}

/** Visits the fields that hold bytes; their content shares the message's memory. */
export function eachMessageField(bytes: Buffer, visit: (field: number, content: Buffer) => void): void {
  const cursor: WireCursor = { bytes, at: 0, end: bytes.length };
  eachField(cursor, (field, wireType) => {
    if (wireType !== wireBytes) return false;
    const end = readFieldEnd(cursor);
    visit(field, bytes.subarray(cursor.at, end));
    cursor.at = end;
    return true;
  });
}
