import { setTimeout as sleep } from 'node:timers/promises';
import { PenstockError } from '../../base/errors.ts';
import type { SpannerChannel } from './channel.ts';
import { GrpcError } from './grpc-error.ts';
import { eachField, readVarint, type WireCursor, wireVarint } from './reader/protobuf-wire.ts';
import { eachMessageField } from './response-bytes.ts';
import { StoreUnavailableError, sortedError } from './spanner-errors.ts';
import { textField, wireMessage } from './wire-fields.ts';

const UPDATE = '/google.spanner.admin.database.v1.DatabaseAdmin/UpdateDatabaseDdl';
const GET_OPERATION = '/google.longrunning.Operations/GetOperation';
const CALL_TIMEOUT_MS = 30_000;
const POLL_MS = 1_000;
/** A new column is there within a minute; a change that waits behind a backfill takes longer. */
const CHANGE_TIMEOUT_MS = 10 * 60_000;

/** Spanner refuses a change of the schema, or this identity may make none. */
export class SchemaChangeError extends PenstockError {
  constructor(statements: readonly string[], cause: unknown) {
    super(`Cannot change the schema by: ${statements.join('; ')}`, {
      code: 'SCHEMA_CHANGE',
      remedy: 'Grant spanner.databases.updateDdl to this identity, or run the statements yourself and start again',
      retryable: false,
      cause,
    });
  }
}

/**
 * Runs DDL statements, and waits until they are done.
 *
 * @throws {SchemaChangeError} when Spanner refuses them; those before the refused one stay done
 * @throws {StoreUnavailableError} when it cannot be reached, or is not done within ten minutes: it may go on by itself
 */
export async function changeSchema(channel: SpannerChannel, statements: readonly string[]): Promise<void> {
  const { database } = channel;
  const attempted = `change the schema of ${database}`;
  const request = wireMessage(textField(1, database), ...statements.map((statement) => textField(2, statement)));
  const routing = (name: string, value: string): string => `${name}=${encodeURIComponent(value)}`;
  const call = async (path: string, bytes: Buffer, route: string): Promise<Operation> =>
    decodeOperation(await channel.administer(path, bytes, route, Date.now() + CALL_TIMEOUT_MS));
  try {
    const until = Date.now() + CHANGE_TIMEOUT_MS;
    let operation = await call(UPDATE, request, routing('database', database));
    while (!operation.done && Date.now() < until) {
      await sleep(POLL_MS);
      const { name } = operation;
      operation = await call(GET_OPERATION, wireMessage(textField(1, name)), routing('name', name));
    }
    if (operation.error) throw operation.error;
    if (!operation.done) throw new StoreUnavailableError(attempted, new Error(`${operation.name} is not done yet`));
  } catch (error) {
    const sorted = sortedError(error, attempted, database);
    throw sorted instanceof StoreUnavailableError ? sorted : new SchemaChangeError(statements, error);
  }
}

interface Operation {
  readonly name: string;
  readonly done: boolean;
  readonly error: GrpcError | undefined;
}

/** Source: google/longrunning/operations.proto. */
function decodeOperation(bytes: Buffer): Operation {
  let name = '';
  let error: GrpcError | undefined;
  eachMessageField(bytes, (field, content) => {
    if (field === 1) name = content.toString('utf8');
    if (field === 4) error = decodeStatus(content);
  });
  return { name, done: numberIn(bytes, 3) !== 0, error };
}

function decodeStatus(bytes: Buffer): GrpcError {
  let message = '';
  eachMessageField(bytes, (field, content) => {
    if (field === 2) message = content.toString('utf8');
  });
  return new GrpcError(numberIn(bytes, 1), message);
}

/** A varint field; 0 when it is left out. */
function numberIn(bytes: Buffer, wanted: number): number {
  const cursor: WireCursor = { bytes, at: 0, end: bytes.length };
  let value = 0;
  eachField(cursor, (field, wireType) => {
    if (field !== wanted || wireType !== wireVarint) return false;
    value = readVarint(cursor);
    return true;
  });
  return value;
}
