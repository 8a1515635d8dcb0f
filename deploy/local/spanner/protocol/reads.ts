import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type CallContext, type MessageType, type Method, RpcError, serverStream, unary } from '../../grpc.ts';
import { requireSelect } from '../engine/privileges.ts';
import { type PlannedRead, planRead, type ReadRow, readRows } from '../engine/read-rows.ts';
import type { StructField } from '../values.ts';
import type { DataBoost } from './data-boost.ts';
import { checkRequestSize, spanner, strict, toNumber } from './messages.ts';
import { decodeRanges } from './partitions.ts';
import { checkRetention, type Place, type ReadView, readView } from './read-views.ts';
import { decodePosition, resultStream, type StreamPosition } from './result-stream.ts';
import type { Sessions } from './sessions.ts';
import { rowType } from './types.ts';

type IReadRequest = types.spanner.v1.IReadRequest;

const SERVICE = '/google.spanner.v1.Spanner';
const MAX_RESULT_BYTES = 10 * 1024 * 1024;
/** Rows between two looks at the clock. */
const RETENTION_CHECK_ROWS = 1024;

/** Results that are bytes already. */
export const encodedPartialResultSet: MessageType<Buffer> = {
  encode: (bytes) => ({ finish: () => bytes }),
  decode: (bytes) => Buffer.from(bytes),
};

/** Read and StreamingRead. */
export function readMethods(sessions: Sessions, boost: DataBoost): Method[] {
  const start = async (request: IReadRequest, context: CallContext): Promise<Iterable<Buffer>> => {
    checkRequestSize(context);
    boost.admit(request);
    const place = sessions.open(request.session);
    const view = await readView(place, request.transaction, context.signal);
    return streamRead(place, request, view);
  };
  return [
    serverStream(
      `${SERVICE}/StreamingRead`,
      strict(spanner.ReadRequest),
      encodedPartialResultSet,
      async function* (request, context) {
        yield* await start(request, context);
      },
    ),
    unary(`${SERVICE}/Read`, strict(spanner.ReadRequest), strict(spanner.ResultSet), async (request, context) =>
      collectResult(await start(request, context)),
    ),
  ];
}

/** All of a stream as the one ResultSet of a unary call; FAILED_PRECONDITION over 10 MiB. */
export function collectResult(parts: Iterable<Buffer>): types.spanner.v1.ResultSet {
  const result = spanner.ResultSet.create();
  let bytes = 0;
  let row: types.protobuf.IValue[] = [];
  for (const part of parts) {
    bytes += part.length;
    if (bytes > MAX_RESULT_BYTES) {
      throw new RpcError(
        status.FAILED_PRECONDITION,
        'Result set too large. Use a streaming call for more than 10 MiB.',
      );
    }
    const { metadata, values, stats, precommitToken, chunkedValue } = spanner.PartialResultSet.decode(part);
    if (chunkedValue)
      throw new RpcError(status.FAILED_PRECONDITION, 'A row is too large for a unary call: use a streaming one.');
    if (metadata) result.metadata = metadata;
    if (stats) result.stats = stats;
    if (precommitToken) result.precommitToken = precommitToken;
    const width = result.metadata?.rowType?.fields?.length ?? 0;
    for (const value of values) {
      row.push(value);
      if (row.length < width) continue;
      result.rows.push({ values: row });
      row = [];
    }
  }
  return result;
}

function streamRead(place: Place, request: IReadRequest, view: ReadView): Iterable<Buffer> {
  const { database } = place;
  const planned = planRead(database.stores, {
    table: request.table ?? '',
    index: request.index ?? '',
    columns: request.columns ?? [],
    keySet: request.keySet ?? {},
    limit: toNumber(request.limit),
  });
  requireSelect(database.stores.schema, place.session.role, planned.store.table, request.columns ?? []);
  const partition = request.partitionToken as Uint8Array | undefined;
  const plan: PlannedRead = partition?.length ? { ...planned, ranges: decodeRanges(partition) } : planned;
  const position = startPosition(request.resumeToken as Uint8Array | undefined, view);
  checkRetention(database, position.timestamp);
  const rows = readRows(plan, {
    timestamp: position.timestamp,
    after: position.key,
    skip: position.rows,
    readSet: view.readSet,
  });
  return resultStream({
    rows: keepRetention(rows, () => checkRetention(database, position.timestamp)),
    places: plan.places,
    types: plan.fields.map((field) => field.type),
    metadata: encodeMetadata(plan.fields, view),
    position,
    precommitToken: view.precommitToken,
  });
}

/** Encoded `ResultSetMetadata`. */
export function encodeMetadata(
  fields: readonly StructField[],
  view: ReadView,
  undeclared: readonly StructField[] = [],
): Uint8Array {
  return spanner.ResultSetMetadata.encode({
    rowType: rowType(fields),
    ...(view.transaction && { transaction: view.transaction }),
    ...(undeclared.length > 0 && { undeclaredParameters: rowType(undeclared) }),
  }).finish();
}

/** Where a stream starts: at the beginning, or behind what its resume token tells of. */
export function startPosition(token: Uint8Array | undefined, view: ReadView): StreamPosition {
  if (!token?.length) return { timestamp: view.timestamp, rows: 0, pieces: 0, key: undefined };
  const position = decodePosition(token);
  // A read-write transaction goes on in its own snapshot, whatever a token says.
  return view.readSet ? { ...position, timestamp: view.timestamp } : position;
}

function* keepRetention(rows: Iterable<ReadRow>, check: () => void): Generator<ReadRow, void, undefined> {
  let count = 0;
  for (const row of rows) {
    count += 1;
    if (count % RETENTION_CHECK_ROWS === 0) check();
    yield row;
  }
}
