import { setTimeout as sleep } from 'node:timers/promises';
import type { TableMutation } from '../../model/events/resolve/change.ts';
import type { Cell } from '../../model/events/values/cell.ts';
import type { SpannerChannel } from './channel.ts';
import { type CommitOptions, openAttempt } from './open-attempt.ts';
import { repeatCall } from './repeat-call.ts';
import { retryDelayMs } from './retry-delay.ts';
import { ABORTED, grpcCode } from './spanner-errors.ts';

const DEADLINE_MS = 15_000;

/** What is read in a transaction, under its locks. */
export interface TransactionReads {
  /** The rows of these keys that exist, in the table's key order. */
  read(table: string, keys: readonly (readonly Cell[])[], columns: readonly string[]): Promise<Cell[][]>;
}

export interface TransactionWork<T> {
  /** For messages: what the transaction does, as a verb phrase. */
  readonly attempted: string;
  /** The table that a refusal is about. */
  readonly table: string;
  readonly commit: CommitOptions | undefined;
  /** How long one attempt is waited for, in milliseconds; 15,000 unless given. */
  readonly deadlineMs?: number;
  /** Aborted when its caller has to leave: what Spanner has aborted is not waited for any more. */
  readonly signal?: AbortSignal | undefined;
  /** Called before it runs again: Spanner aborted it, or gave no answer. */
  readonly onRepeat?: ((why: 'aborted' | 'unavailable') => void) | undefined;
  /** May run several times; must leave nothing behind but its answer. */
  readonly run: (
    reads: TransactionReads,
  ) => Promise<{ readonly mutations: readonly TableMutation[]; readonly result: T }>;
}

/**
 * Runs one read-write transaction: reads under locks, then all mutations in one commit.
 *
 * It begins with its first read, so that it costs two round trips. ABORTED is repeated after the pause that the server
 * names, and keeps the first attempt's age. An answer that was lost is repeated as a whole new transaction, up to three
 * times within the deadline: `run` reads again what has happened. Once `signal` is aborted, what is aborted is given up soon.
 *
 * @throws {ConstraintError} when Spanner refuses the rows
 * @throws {StoreUnavailableError} when Spanner cannot be reached or answers late
 */
export async function runTransaction<T>(channel: SpannerChannel, work: TransactionWork<T>): Promise<T> {
  const { attempted, table, deadlineMs = DEADLINE_MS, onRepeat } = work;
  return await repeatCall({ attempted, table, deadlineMs, onRepeat }, (deadlineAt) =>
    runUntil(channel, work, deadlineAt),
  );
}

/** Repeats what is aborted, for as long as the deadline leaves time. */
async function runUntil<T>(channel: SpannerChannel, work: TransactionWork<T>, deadlineAt: number): Promise<T> {
  let previousTransactionId: Uint8Array | undefined;
  for (let abortCount = 1; ; abortCount++) {
    const attempt = await openAttempt(channel, { commit: work.commit, deadlineAt, previousTransactionId });
    try {
      const { mutations, result } = await work.run(attempt);
      if (mutations.length > 0) await attempt.commit(mutations);
      else attempt.rollBack();
      return result;
    } catch (error) {
      attempt.giveUp(error);
      if (grpcCode(error) !== ABORTED) throw error;
      const delayMs = retryDelayMs(error, abortCount);
      if (Date.now() + delayMs >= deadlineAt) throw error;
      await sleep(delayMs, undefined, work.signal && { signal: work.signal }).catch(() => {});
      // Nothing of it is written: whoever goes on with it begins anew.
      if (work.signal?.aborted) throw error;
      work.onRepeat?.('aborted');
      previousTransactionId = attempt.transactionId() ?? previousTransactionId;
    }
  }
}
