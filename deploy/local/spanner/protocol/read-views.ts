import { setTimeout } from 'node:timers/promises';
import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { OpenDatabase, Session } from '../engine/catalog.ts';
import type { Database } from '../engine/database.ts';
import type { ReadSet } from '../engine/read-set.ts';
import type { ReadWriteTransaction } from '../engine/transactions.ts';
import { spanner } from './messages.ts';
import { fromDuration, fromTimestamp, toTimestamp } from './timestamps.ts';

type ITransaction = types.spanner.v1.ITransaction;
type IReadOnly = types.spanner.v1.TransactionOptions.IReadOnly;
type IPrecommitToken = types.spanner.v1.IMultiplexedSessionPrecommitToken;

const READ_ONLY_ID = /^ro-(\d{1,16})$/;
const POLL_MS = 5;
const MAX_WAIT_MS = 60_000;

/** What a read sees and what its answer says about the transaction. */
export interface ReadView {
  /** Microseconds since 1970. */
  readonly timestamp: number;
  /** Of a read-write transaction. */
  readonly readSet?: ReadSet;
  /** Goes into the result's metadata. */
  readonly transaction?: ITransaction;
  readonly precommitToken?: Uint8Array;
}

/** Where a call belongs. */
export type Place = OpenDatabase & { readonly session: Session };

/** Begins a transaction for BeginTransaction, or for a selector's `begin`. */
export async function beginTransaction(
  place: Place,
  options: types.spanner.v1.ITransactionOptions | null | undefined,
  signal: AbortSignal,
): Promise<{ message: ITransaction; view: () => ReadView }> {
  if (options?.partitionedDml) {
    throw new RpcError(
      status.UNIMPLEMENTED,
      "Partitioned DML is not part of the laptop's Spanner: write with mutations.",
    );
  }
  if (options?.readOnly) {
    const timestamp = await readTimestamp(place.database, options.readOnly, { isSingleUse: false, signal });
    const message = readOnlyMessage(timestamp, options.readOnly, true);
    return { message, view: () => ({ timestamp, transaction: message }) };
  }
  if (!options?.readWrite) {
    throw new RpcError(status.INVALID_ARGUMENT, 'A transaction begins with options read_write or read_only.');
  }
  const transaction = place.transactions.begin(place.session.name);
  const precommit = precommitToken(place, transaction);
  const message = { id: Buffer.from(transaction.id), ...(precommit && { precommitToken: precommit }) };
  // The snapshot is that of the first read, which may come much later than the beginning.
  return { message, view: () => ({ ...readWriteView(place, transaction), transaction: message }) };
}

/** What the read of a request sees, by its transaction selector. */
export async function readView(
  place: Place,
  selector: types.spanner.v1.ITransactionSelector | null | undefined,
  signal: AbortSignal,
): Promise<ReadView> {
  if (selector?.begin) return (await beginTransaction(place, selector.begin, signal)).view();
  if (selector?.id?.length) return viewOfId(place, Buffer.from(selector.id as Uint8Array).toString('latin1'));
  const options = selector?.singleUse;
  if (options && !options.readOnly) {
    throw new RpcError(status.INVALID_ARGUMENT, 'A single-use transaction for a read must be read_only.');
  }
  const readOnly = options?.readOnly ?? { strong: true };
  const timestamp = await readTimestamp(place.database, readOnly, { isSingleUse: true, signal });
  if (!readOnly.returnReadTimestamp) return { timestamp };
  return { timestamp, transaction: readOnlyMessage(timestamp, readOnly, false) };
}

/** The token that multiplexed sessions commit with. */
export function precommitToken(place: Place, transaction: ReadWriteTransaction): IPrecommitToken | undefined {
  return place.session.multiplexed ? { precommitToken: Buffer.from(`pc-${transaction.id}`), seqNum: 1 } : undefined;
}

/** Refuses reads below the retention, also in the middle of a long stream. */
export function checkRetention(database: Database, timestamp: number): void {
  if (timestamp >= database.horizon) return;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `Read timestamp ${new Date(timestamp / 1000).toISOString()} is past the version retention of the database: the earliest is ${new Date(database.horizon / 1000).toISOString()}.`,
  );
}

function viewOfId(place: Place, id: string): ReadView {
  const readOnly = READ_ONLY_ID.exec(id);
  if (!readOnly) return readWriteView(place, place.transactions.use(id, place.session.name));
  const timestamp = Number(readOnly[1]);
  checkRetention(place.database, timestamp);
  return { timestamp };
}

function readWriteView(place: Place, transaction: ReadWriteTransaction): ReadView {
  const { snapshot } = place.transactions.viewOf(transaction);
  const token = precommitToken(place, transaction);
  return {
    timestamp: snapshot,
    readSet: transaction.readSet,
    ...(token && {
      precommitToken: spanner.MultiplexedSessionPrecommitToken.encode(token).finish(),
    }),
  };
}

/** A read-only transaction is nothing but its timestamp, so its id says it all, in any process. */
function readOnlyMessage(timestamp: number, options: IReadOnly, hasId: boolean): ITransaction {
  return {
    ...(hasId && { id: Buffer.from(`ro-${timestamp}`) }),
    ...(options.returnReadTimestamp && { readTimestamp: toTimestamp(timestamp) }),
  };
}

async function readTimestamp(
  database: Database,
  options: IReadOnly,
  { isSingleUse, signal }: { isSingleUse: boolean; signal: AbortSignal },
): Promise<number> {
  const { clock } = database;
  if (!isSingleUse && (options.minReadTimestamp || options.maxStaleness)) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'min_read_timestamp and max_staleness are only for single-use transactions: use exact_staleness or read_timestamp.',
    );
  }
  if (options.minReadTimestamp) await reach(database, fromTimestamp(options.minReadTimestamp), signal);
  const exact = options.readTimestamp
    ? fromTimestamp(options.readTimestamp)
    : options.exactStaleness && clock.nowMicros() - fromDuration(options.exactStaleness);
  if (typeof exact !== 'number') return clock.strongRead();
  await reach(database, exact, signal);
  checkRetention(database, exact);
  clock.observeRead(exact);
  return exact;
}

/** A read in the future waits until it is the present. */
async function reach(database: Database, timestamp: number, signal: AbortSignal): Promise<void> {
  const { clock } = database;
  const isReached = (): boolean => timestamp <= Math.max(clock.nowMicros(), clock.lastCommit);
  for (let waited = 0; !isReached(); waited += POLL_MS) {
    if (waited >= MAX_WAIT_MS) {
      throw new RpcError(status.DEADLINE_EXCEEDED, `Read timestamp lies more than ${MAX_WAIT_MS} ms in the future.`);
    }
    await setTimeout(POLL_MS, undefined, { signal });
  }
}
