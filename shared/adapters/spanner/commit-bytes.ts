import type { TableMutation } from '../../model/events/resolve/change.ts';
import { type EncodedRow, encodeRow, type RowArena, WireWriter } from '../../model/events/row-bytes.ts';
import type { Cell } from '../../model/events/values/cell.ts';
import {
  bytesField,
  fieldBytes,
  numberField,
  textField,
  type WireField,
  wireMessage,
  writeHead,
} from './wire-fields.ts';

/** What one `google.spanner.v1.CommitRequest` asks for. */
export interface CommitBytes {
  readonly session: string;
  readonly transactionId: Uint8Array;
  readonly mutations: readonly TableMutation[];
  readonly priority?: Priority | undefined;
  readonly requestTag?: string | undefined;
  readonly transactionTag?: string | undefined;
  /** How long Spanner may wait for company, in milliseconds; 0 to 500. */
  readonly maxCommitDelayMs?: number | undefined;
  /** An encoded `MultiplexedSessionPrecommitToken`. */
  readonly precommitToken?: Uint8Array | undefined;
  readonly returnCommitStats?: boolean | undefined;
}

export type Priority = 'low' | 'medium' | 'high';

/** Lengths must stay below 2^31; Spanner itself takes 100 MiB. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** What a writer may keep between two commits. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** Fields of `Mutation`. */
const OPERATION = { insert: 1, update: 2, upsert: 3, replace: 4, delete: 5 } as const;
/** `KeySet.keys`: a key lies in the bytes of a row, under another tag. */
const KEY_TAG = 0x0a;
const priorities = { low: 1, medium: 2, high: 3 } as const;

/** Bytes that lie one after the other in one arena. */
interface Run {
  readonly arena: RowArena;
  readonly from: number;
  to: number;
}

/** A mutation, measured: what is copied where. */
interface MeasuredMutation {
  readonly field: number;
  /** Table and columns. */
  readonly head: Buffer;
  readonly runs: readonly Run[];
  readonly rowBytes: number;
  /** Bytes of the `Write` or `Delete`. */
  readonly innerBytes: number;
}

let scratch = new WireWriter();

/**
 * Encodes a CommitRequest: what is measured first is written into one buffer of exactly its size.
 *
 * Rows that are encoded already are copied as they are, neighbours at once; rows of cells are encoded on the way.
 * Source: google/spanner/v1/spanner.proto, mutation.proto.
 *
 * @throws {RangeError} for a request of 1 GiB or more
 */
export function encodeCommit(request: CommitBytes): Buffer {
  const measured = measureAll(request.mutations);
  const head = wireMessage(textField(1, request.session), bytesField(2, request.transactionId));
  const tail = wireMessage(
    numberField(5, request.returnCommitStats),
    bytesField(6, requestOptions(request)),
    bytesField(8, duration(request.maxCommitDelayMs)),
    bytesField(9, request.precommitToken),
  );
  let length = head.length + tail.length;
  for (const { innerBytes } of measured) length += fieldBytes(fieldBytes(innerBytes));
  if (length >= MAX_BYTES)
    throw new RangeError(`A commit of ${length} bytes cannot be encoded: the limit is ${MAX_BYTES}`);
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.set(head);
  let at = head.length;
  for (const mutation of measured) at = writeMutation(bytes, at, mutation);
  bytes.set(tail, at);
  releaseScratch();
  return bytes;
}

/**
 * One mutation of a commit that reads nothing, cut to its first row: it tells BeginTransaction where the transaction will
 * write. Any but an insert is better, and of several that with the most rows.
 *
 * @returns an encoded `Mutation`
 */
export function encodeMutationKey(mutations: readonly TableMutation[]): Buffer {
  const others = mutations.filter(({ operation }) => operation !== 'insert');
  const choice = others.length > 0 ? others : mutations;
  let largest: TableMutation | undefined;
  for (const mutation of choice) if (!largest || rowCount(mutation) > rowCount(largest)) largest = mutation;
  const [measured] = measureAll(largest ? [firstRow(largest)] : []);
  if (!measured) return Buffer.alloc(0);
  const bytes = Buffer.allocUnsafeSlow(fieldBytes(measured.innerBytes));
  writeInner(bytes, 0, measured);
  releaseScratch();
  return bytes;
}

/** `RequestOptions`; undefined when none is set. */
export function requestOptions(options: Pick<CommitBytes, 'priority' | 'requestTag' | 'transactionTag'>): WireField {
  const { priority, requestTag, transactionTag } = options;
  const message = wireMessage(
    numberField(1, priority && priorities[priority]),
    textField(2, requestTag),
    textField(3, transactionTag),
  );
  return message.length === 0 ? undefined : message;
}

/** Keys as `KeySet` has them. */
export function encodeKeys(keys: readonly (readonly Cell[])[]): Buffer {
  releaseScratch();
  const runs = encodeCells(keys, KEY_TAG);
  const bytes = Buffer.concat(runs.map(({ arena, from, to }) => arena.bytes.subarray(from, to)));
  releaseScratch();
  return bytes;
}

function measureAll(mutations: readonly TableMutation[]): MeasuredMutation[] {
  releaseScratch();
  return mutations.map(measure);
}

function measure(mutation: TableMutation): MeasuredMutation {
  const { operation, table } = mutation;
  if (operation === 'delete') {
    const runs = encodeCells(mutation.keys, KEY_TAG);
    const rowBytes = bytesOf(runs);
    const head = wireMessage(textField(1, table));
    return { field: OPERATION.delete, head, runs, rowBytes, innerBytes: head.length + fieldBytes(rowBytes) };
  }
  const head = wireMessage(
    textField(1, table),
    ...mutation.columns.map((column) => bytesField(2, Buffer.from(column))),
  );
  const runs = mutation.encoded ? joinNeighbours(mutation.encoded) : encodeCells(mutation.rows);
  const rowBytes = bytesOf(runs);
  return { field: OPERATION[operation], head, runs, rowBytes, innerBytes: head.length + rowBytes };
}

function writeMutation(bytes: Buffer, from: number, mutation: MeasuredMutation): number {
  const at = writeHead(bytes, from, 4, fieldBytes(mutation.innerBytes));
  return writeInner(bytes, at, mutation);
}

function writeInner(
  bytes: Buffer,
  from: number,
  { field, head, runs, rowBytes, innerBytes }: MeasuredMutation,
): number {
  let at = writeHead(bytes, from, field, innerBytes);
  bytes.set(head, at);
  at += head.length;
  if (field === OPERATION.delete) at = writeHead(bytes, at, 2, rowBytes);
  for (const { arena, from: start, to } of runs) at += arena.bytes.copy(bytes, at, start, to);
  return at;
}

/** Encodes rows into the scratch writer, which no one else uses until the request is written. */
function encodeCells(rows: readonly (readonly Cell[])[], tag?: number): Run[] {
  const from = scratch.at;
  for (const row of rows) {
    const encoded = encodeRow(scratch, row);
    if (tag !== undefined) scratch.bytes[encoded.from] = tag;
  }
  return rows.length === 0 ? [] : [{ arena: scratch, from, to: scratch.at }];
}

function releaseScratch(): void {
  if (scratch.bytes.length > MAX_KEPT_BYTES) scratch = new WireWriter();
  scratch.at = 0;
}

function joinNeighbours(rows: readonly EncodedRow[]): Run[] {
  const runs: Run[] = [];
  let last: Run | undefined;
  for (const { arena, from, to } of rows) {
    if (last && last.arena === arena && last.to === from) last.to = to;
    else {
      last = { arena, from, to };
      runs.push(last);
    }
  }
  return runs;
}

function bytesOf(runs: readonly Run[]): number {
  let bytes = 0;
  for (const { from, to } of runs) bytes += to - from;
  return bytes;
}

function rowCount(mutation: TableMutation): number {
  if (mutation.operation === 'delete') return mutation.keys.length;
  return mutation.encoded ? mutation.encoded.length : mutation.rows.length;
}

function firstRow(mutation: TableMutation): TableMutation {
  if (mutation.operation === 'delete') return { ...mutation, keys: mutation.keys.slice(0, 1) };
  const { encoded, ...rest } = mutation;
  return encoded ? { ...rest, encoded: encoded.slice(0, 1) } : { ...rest, rows: mutation.rows.slice(0, 1) };
}

function duration(ms: number | undefined): WireField {
  if (ms === undefined || ms <= 0) return undefined;
  return wireMessage(numberField(1, Math.floor(ms / 1000)), numberField(2, Math.round((ms % 1000) * 1e6)));
}
