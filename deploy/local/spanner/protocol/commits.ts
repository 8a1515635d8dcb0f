import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type CallContext, type Method, RpcError, serverStream, unary } from '../../grpc.ts';
import { aborted, type CommitResult } from '../engine/database.ts';
import { requireWrites } from '../engine/privileges.ts';
import { google, spanner, strict } from './messages.ts';
import { beginTransaction } from './read-views.ts';
import type { Sessions } from './sessions.ts';
import { fromDuration, toTimestamp } from './timestamps.ts';

type ICommitRequest = types.spanner.v1.ICommitRequest;

const SERVICE = '/google.spanner.v1.Spanner';
const MAX_COMMIT_BYTES = 100 * 1024 * 1024;
const MAX_COMMIT_DELAY_MICROS = 500_000;

/** Decides which commits are aborted on purpose; called once for each. */
export type AbortDecision = () => boolean;

/** BeginTransaction, Commit, Rollback and BatchWrite. */
export function commitMethods(sessions: Sessions, shouldAbort: AbortDecision): Method[] {
  return [
    unary(
      `${SERVICE}/BeginTransaction`,
      strict(spanner.BeginTransactionRequest),
      strict(spanner.Transaction),
      async ({ session, options }, context) => {
        // Clients send one of the commit's mutations along (mutation_key), so its limit holds here too.
        checkCommitSize(context);
        const { message } = await beginTransaction(sessions.open(session), options, context.signal);
        return spanner.Transaction.create(message);
      },
    ),
    unary(
      `${SERVICE}/Commit`,
      strict(spanner.CommitRequest),
      strict(spanner.CommitResponse),
      async (request, context) => {
        checkCommitSize(context);
        const result = await commit(sessions, request, shouldAbort);
        return spanner.CommitResponse.create({
          commitTimestamp: toTimestamp(result.timestamp),
          ...(request.returnCommitStats && { commitStats: { mutationCount: result.mutationCount } }),
        });
      },
    ),
    unary(
      `${SERVICE}/Rollback`,
      strict(spanner.RollbackRequest),
      strict(google.protobuf.Empty),
      ({ session, transactionId }) => {
        const place = sessions.open(session);
        place.transactions.rollBack(text(transactionId), place.session.name);
        return google.protobuf.Empty.create();
      },
    ),
    serverStream(
      `${SERVICE}/BatchWrite`,
      strict(spanner.BatchWriteRequest),
      strict(spanner.BatchWriteResponse),
      async function* (request, context) {
        checkCommitSize(context);
        yield* batchWrite(sessions, request);
      },
    ),
  ];
}

async function commit(sessions: Sessions, request: ICommitRequest, shouldAbort: AbortDecision): Promise<CommitResult> {
  const { database, transactions, session } = sessions.open(request.session);
  const mutations = request.mutations ?? [];
  checkCommitDelay(request);
  requireWrites(database.stores.schema, session.role, mutations);
  const id = text(request.transactionId);
  if (!id && !request.singleUseTransaction?.readWrite) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'A commit needs a transaction_id, or a single_use_transaction that is read_write.',
    );
  }
  if (id.startsWith('ro-')) {
    throw new RpcError(status.FAILED_PRECONDITION, 'Cannot commit a read-only transaction.');
  }
  if (shouldAbort() && (!id || transactions.abort(id))) throw aborted('Transaction was aborted on request of a test.');
  if (!id) return database.commit({ mutations });
  checkPrecommitToken(id, request.precommitToken);
  return transactions.commit(id, session.name, mutations);
}

async function* batchWrite(
  sessions: Sessions,
  request: types.spanner.v1.IBatchWriteRequest,
): AsyncGenerator<types.spanner.v1.BatchWriteResponse> {
  const { database, session } = sessions.open(request.session);
  for (const [index, group] of (request.mutationGroups ?? []).entries()) {
    try {
      const mutations = group.mutations ?? [];
      requireWrites(database.stores.schema, session.role, mutations);
      const { timestamp } = await database.commit({ mutations });
      yield spanner.BatchWriteResponse.create({
        indexes: [index],
        status: { code: status.OK },
        commitTimestamp: toTimestamp(timestamp),
      });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      yield spanner.BatchWriteResponse.create({
        indexes: [index],
        status: { code: error.code, message: error.message },
      });
    }
  }
}

function checkPrecommitToken(
  id: string,
  token: types.spanner.v1.IMultiplexedSessionPrecommitToken | null | undefined,
): void {
  if (!token?.precommitToken?.length || text(token.precommitToken) === `pc-${id}`) return;
  throw new RpcError(status.INVALID_ARGUMENT, 'The precommit token belongs to another transaction.');
}

/** A delay is a leave to wait, which a server without other machines has no use for. */
function checkCommitDelay({ maxCommitDelay }: ICommitRequest): void {
  const micros = maxCommitDelay ? fromDuration(maxCommitDelay) : 0;
  if (micros >= 0 && micros <= MAX_COMMIT_DELAY_MICROS) return;
  throw new RpcError(status.INVALID_ARGUMENT, `max_commit_delay is ${micros / 1000} ms: it must be from 0 to 500 ms.`);
}

function checkCommitSize(context: CallContext): void {
  if (context.requestBytes <= MAX_COMMIT_BYTES) return;
  throw new RpcError(
    status.INVALID_ARGUMENT,
    `The transaction exceeds the maximum total bytes-size that can be handled by Spanner. Please reduce the size or number of the writes, or use fewer indexes. (Maximum size: ${MAX_COMMIT_BYTES})`,
  );
}

function text(bytes: Uint8Array | string | null | undefined): string {
  return bytes ? Buffer.from(bytes as Uint8Array).toString('latin1') : '';
}
