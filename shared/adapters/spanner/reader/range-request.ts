import { lastKeyQuery, rangeQuery } from '../../../model/epochs/range-query.ts';
import type { DirectedRead, ReadOptions, Replica } from '../../../model/epochs/read-options.ts';
import {
  encodeKeySet,
  encodeQuery,
  encodeRead,
  selectNewSnapshot,
  selectTimestamp,
  selectTransaction,
} from '../request-bytes.ts';
import { bytesField, numberField, textField, wireMessage } from '../wire-fields.ts';
import type { RangeRead } from './range-read.ts';

/** Numbers of `google.spanner.v1`: request options in both requests, directed reads in each. */
const REQUEST_OPTIONS = 11;
const READ_DIRECTED = 14;
const QUERY_DIRECTED = 15;
/** `partition_token` and `data_boost_enabled`. */
const READ_TOKEN = 10;
const READ_BOOST = 15;
const QUERY_TOKEN = 8;
const QUERY_BOOST = 16;
const priorities = { low: 1, medium: 2, high: 3 } as const;

/** A call that gives the rows of a key range: a plain read, or a query. */
export interface RangeRequest {
  readonly method: 'StreamingRead' | 'ExecuteStreamingSql';
  readonly bytes: Buffer;
}

/** Encodes the call for the rows of `read`. */
export function rangeRequest(read: RangeRead, session: string): RangeRequest {
  const selector = selectTimestamp(wireTimestamp(read.readTimestamp));
  const { table, columns, range, afterKey, query, options = {} } = read;
  // A message is a row of fields in any order: the options go behind what all calls have.
  if (query) {
    const { key, lastOf } = query;
    const { sql, parameters } = lastOf
      ? lastKeyQuery(table, key, lastOf)
      : rangeQuery({ table, columns, ...query, range, afterKey });
    const asked = encodeQuery({ session, selector, sql, parameters });
    return { method: 'ExecuteStreamingSql', bytes: Buffer.concat([asked, optionFields(options, QUERY_DIRECTED)]) };
  }
  const plain = encodeRead({ session, selector, table, columns, keySet: keySetOf(read), limit: read.limit });
  return { method: 'StreamingRead', bytes: Buffer.concat([plain, optionFields(options, READ_DIRECTED)]) };
}

/** Calls that cut the rows of a key range into parts, and read one of them on Data Boost. */
export interface PartitionedRequest {
  readonly method: 'PartitionRead' | 'PartitionQuery';
  readonly bytes: Buffer;
  /** @param transactionId that the partitions were made in */
  readonly part: (transactionId: Uint8Array, token: Uint8Array) => RangeRequest;
}

/** Encodes the calls for the rows of `read` by partitions; in no order. */
export function partitionedRequest(read: RangeRead, session: string): PartitionedRequest {
  const begin = selectNewSnapshot(wireTimestamp(read.readTimestamp));
  const { table, columns, range, afterKey, query, options = {} } = read;
  if (query) {
    const { sql, parameters } = rangeQuery({ table, columns, ...query, range, afterKey, isUnordered: true });
    const ask = (selector: Uint8Array): Buffer => encodeQuery({ session, selector, sql, parameters });
    const method = 'ExecuteStreamingSql';
    return {
      method: 'PartitionQuery',
      bytes: ask(begin),
      part: (id, token) => ({
        method,
        bytes: Buffer.concat([ask(selectTransaction(id)), boosted(options, QUERY_TOKEN, token, QUERY_BOOST)]),
      }),
    };
  }
  const keySet = keySetOf(read);
  const ask = (selector: Uint8Array): Buffer => encodeRead({ session, selector, table, columns, keySet });
  const method = 'StreamingRead';
  return {
    method: 'PartitionRead',
    bytes: ask(begin),
    part: (id, token) => ({
      method,
      bytes: Buffer.concat([ask(selectTransaction(id)), boosted(options, READ_TOKEN, token, READ_BOOST)]),
    }),
  };
}

/** Data Boost serves no chosen replica. */
function boosted(
  { replicas: _, ...options }: ReadOptions,
  tokenField: number,
  token: Uint8Array,
  boostField: number,
): Buffer {
  return wireMessage(bytesField(tokenField, token), optionFields(options, 0), numberField(boostField, true));
}

function optionFields({ priority = 'low', tag, replicas }: ReadOptions, directedField: number): Buffer {
  return wireMessage(
    bytesField(REQUEST_OPTIONS, wireMessage(numberField(1, priorities[priority]), textField(2, tag))),
    replicas && bytesField(directedField, directedRead(replicas)),
  );
}

/** `DirectedReadOptions`. */
function directedRead({ include, exclude }: DirectedRead): Buffer {
  const selections = (replicas: readonly Replica[]): Buffer =>
    wireMessage(...replicas.map((replica) => bytesField(1, replicaSelection(replica))));
  return wireMessage(include && bytesField(1, selections(include)), exclude && bytesField(2, selections(exclude)));
}

function replicaSelection({ location, type }: Replica): Buffer {
  return wireMessage(textField(1, location), numberField(2, type && { 'read-write': 1, 'read-only': 2 }[type]));
}

function keySetOf({ range, afterKey }: RangeRead): Buffer {
  if (range.from === undefined && range.to === undefined && afterKey === undefined) return encodeKeySet('all');
  const isOpen = afterKey !== undefined;
  return encodeKeySet({
    from: { key: afterKey ?? range.from ?? [], open: isOpen },
    to: { key: range.to ?? [], open: range.to !== undefined },
  });
}

function wireTimestamp(text: string): { seconds: number; nanos: number } {
  const fraction = /\.(\d{1,9})Z$/.exec(text)?.[1] ?? '';
  return { seconds: Date.parse(`${text.slice(0, 19)}Z`) / 1000, nanos: Number(fraction.padEnd(9, '0')) };
}
