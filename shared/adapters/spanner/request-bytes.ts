import { type EncodedRow, encodeRow, WireWriter } from '../../model/events/row-bytes.ts';
import type { Cell } from '../../model/events/values/cell.ts';
import { encodeKeys, type Priority, requestOptions } from './commit-bytes.ts';
import { bytesField, numberField, textField, type WireField, wireMessage } from './wire-fields.ts';

/** What a read-write transaction is begun with. */
export interface ReadWriteOptions {
  /** Of the attempt that was aborted: the new one keeps its age, and with it its place among those that wait for locks. */
  readonly previousTransactionId?: Uint8Array | undefined;
  readonly excludeFromChangeStreams?: boolean | undefined;
}

/** `TransactionSelector` of the transaction with this id. */
export function selectTransaction(id: Uint8Array): Buffer {
  return wireMessage(bytesField(2, id));
}

/** `TransactionSelector` of a read-write transaction that begins with the call which carries this. */
export function selectNewReadWrite(options: ReadWriteOptions): Buffer {
  return wireMessage(bytesField(3, readWriteOptions(options)));
}

/** `TransactionSelector` of a strong read-only transaction that begins with the call which carries this. */
export function selectNewReadOnly(): Buffer {
  return wireMessage(bytesField(3, wireMessage(bytesField(2, wireMessage(numberField(1, true))))));
}

/** `TransactionSelector` of one read at a timestamp. */
export function selectTimestamp(at: { readonly seconds: number; readonly nanos: number }): Buffer {
  const timestamp = wireMessage(numberField(1, at.seconds), numberField(2, at.nanos));
  return wireMessage(bytesField(1, wireMessage(bytesField(2, wireMessage(bytesField(4, timestamp))))));
}

/** `TransactionSelector` of a read-only transaction at a timestamp that begins with the call which carries this. */
export function selectNewSnapshot(at: { readonly seconds: number; readonly nanos: number }): Buffer {
  const timestamp = wireMessage(numberField(1, at.seconds), numberField(2, at.nanos));
  return wireMessage(bytesField(3, wireMessage(bytesField(2, wireMessage(bytesField(4, timestamp))))));
}

/** `BeginTransactionRequest` of a transaction that only writes. */
export function encodeBegin(
  session: string,
  options: ReadWriteOptions & { readonly mutationKey: Uint8Array; readonly transactionTag: string | undefined },
): Buffer {
  return wireMessage(
    textField(1, session),
    bytesField(2, readWriteOptions(options)),
    bytesField(3, requestOptions({ transactionTag: options.transactionTag })),
    bytesField(4, options.mutationKey),
  );
}

/** `RollbackRequest`. */
export function encodeRollback(session: string, transactionId: Uint8Array): Buffer {
  return wireMessage(textField(1, session), bytesField(2, transactionId));
}

/** `CreateSessionRequest` of a multiplexed session, of a database role where one is named. */
export function encodeCreateSession(database: string, role?: string): Buffer {
  return wireMessage(textField(1, database), bytesField(2, wireMessage(textField(5, role), numberField(6, true))));
}

/** A read of rows of one table. */
export interface ReadBytes {
  readonly session: string;
  /** An encoded `TransactionSelector`. */
  readonly selector: Uint8Array;
  readonly table: string;
  readonly columns: readonly string[];
  /** An encoded `KeySet`. */
  readonly keySet: Uint8Array;
  /** Rows at most; absent, all. */
  readonly limit?: number | undefined;
  readonly priority?: Priority | undefined;
  readonly transactionTag?: string | undefined;
}

/** `ReadRequest`. */
export function encodeRead(read: ReadBytes): Buffer {
  return wireMessage(
    textField(1, read.session),
    bytesField(2, read.selector),
    textField(3, read.table),
    ...read.columns.map((column) => textField(5, column)),
    bytesField(6, read.keySet),
    numberField(8, read.limit),
    bytesField(11, requestOptions(read)),
  );
}

/** Rows of a table between two keys; an empty key is a prefix of every key, and leaves its side open. */
export interface RangeBytes {
  readonly from: { readonly key: readonly Cell[]; readonly open: boolean };
  readonly to: { readonly key: readonly Cell[]; readonly open: boolean };
}

/** `KeySet` of all rows, of these keys, or of a range. */
export function encodeKeySet(wanted: 'all' | { readonly keys: readonly (readonly Cell[])[] } | RangeBytes): Buffer {
  if (wanted === 'all') return wireMessage(numberField(3, true));
  if ('keys' in wanted) return encodeKeys(wanted.keys);
  const { from, to } = wanted;
  const range = wireMessage(
    bytesField(from.open ? 2 : 1, listValue(from.key)),
    bytesField(to.open ? 4 : 3, listValue(to.key)),
  );
  return wireMessage(bytesField(2, range));
}

/** A parameter of a statement: texts are STRING, numbers INT64. */
export type Parameter = string | number;

/** `ExecuteSqlRequest`. */
export function encodeQuery(query: {
  readonly session: string;
  /** An encoded `TransactionSelector`. */
  readonly selector: Uint8Array;
  readonly sql: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
}): Buffer {
  const entries = Object.entries(query.parameters);
  const values = entries.map(([name, value]) => mapEntry(1, name, singleValue(String(value))));
  const types = entries.map(([name, value]) => mapEntry(5, name, typeOf(value)));
  return wireMessage(
    textField(1, query.session),
    bytesField(2, query.selector),
    textField(3, query.sql),
    values.length === 0 ? undefined : bytesField(4, wireMessage(...values)),
    ...types,
  );
}

/** TypeCode INT64 and STRING. */
function typeOf(value: Parameter): Buffer {
  return wireMessage(numberField(1, typeof value === 'number' ? 2 : 6));
}

function mapEntry(field: number, name: string, value: Uint8Array): WireField {
  return bytesField(field, wireMessage(textField(1, name), bytesField(2, value)));
}

function singleValue(text: string): Buffer {
  return wireMessage(bytesField(3, Buffer.from(text)));
}

/** The values of a row without its tag and length: a `ListValue`. */
function listValue(cells: readonly Cell[]): Buffer {
  const writer = new WireWriter(1024);
  const row: EncodedRow = encodeRow(writer, cells);
  let content = row.from + 1;
  while ((writer.bytes[content] ?? 0) >= 0x80) content += 1;
  return Buffer.from(writer.bytes.subarray(content + 1, row.to));
}

function readWriteOptions({ previousTransactionId, excludeFromChangeStreams }: ReadWriteOptions): Buffer {
  return wireMessage(
    bytesField(1, wireMessage(bytesField(2, previousTransactionId))),
    numberField(5, excludeFromChangeStreams),
  );
}
