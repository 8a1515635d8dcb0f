import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, protos, type Transaction } from '@google-cloud/spanner';
import type { Pipeline } from '../../model/config/declaration.ts';
import type { Cell } from '../../model/events/cell.ts';
import type { TableMutation } from '../../model/events/change.ts';
import { StoreUnavailableError, sortedError } from './spanner-errors.ts';
import { type ClientRow, cellsOf, wireKeys, wireMutation } from './wire.ts';
import { withinDeadline } from './within-deadline.ts';

const { Mutation, RequestOptions } = protos.google.spanner.v1;

/** Longest that one transaction with its repetitions after ABORTED may take. */
const TRANSACTION_TIMEOUT_MS = 60_000;
const DEADLINE_MS = 15_000;
/** The client's own repetitions of a commit whose answer was lost; the server knows it by its transaction. */
const MAX_CALL_RETRIES = 2;
const MAX_ATTEMPTS = 3;
const FIRST_RETRY_MS = 50;

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
  readonly commit: Pipeline['commit'] | undefined;
  /** How long one attempt is waited for, in milliseconds; 15,000 unless given. */
  readonly deadlineMs?: number;
  /** May run several times; must leave nothing behind but its answer. */
  readonly run: (
    reads: TransactionReads,
  ) => Promise<{ readonly mutations: readonly TableMutation[]; readonly result: T }>;
}

/**
 * Runs one read-write transaction: reads under locks, then all mutations in one commit.
 *
 * ABORTED is repeated by the client, after the pause that the server names. An answer that was lost is repeated as a whole
 * new transaction, up to three times within the deadline: `run` reads again what has happened.
 *
 * @throws {ConstraintError} when Spanner refuses the rows
 * @throws {StoreUnavailableError} when Spanner cannot be reached or answers late
 */
export async function runTransaction<T>(database: Database, work: TransactionWork<T>): Promise<T> {
  const { deadlineMs = DEADLINE_MS } = work;
  const startedAt = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await withinDeadline(deadlineMs, work.attempted, runOnce(database, work));
    } catch (error) {
      const sorted = sortedError(error, work.attempted, work.table);
      if (!(sorted instanceof StoreUnavailableError) || attempt === MAX_ATTEMPTS) throw sorted;
      if (performance.now() - startedAt > deadlineMs) throw sorted;
      await sleep(FIRST_RETRY_MS * 4 ** (attempt - 1) * (1 + Math.random()));
    }
  }
}

async function runOnce<T>(
  database: Database,
  { commit, run, deadlineMs = DEADLINE_MS }: TransactionWork<T>,
): Promise<T> {
  const tag = commit?.tag;
  const options = {
    timeout: TRANSACTION_TIMEOUT_MS,
    ...(tag === undefined ? {} : { requestOptions: { transactionTag: tag } }),
  };
  return await database.runTransactionAsync(options, async (transaction) => {
    hearBegin(transaction);
    try {
      const { mutations, result } = await run({
        read: (table, keys, columns) => read(transaction, { table, keys, columns, deadlineMs }),
      });
      if (mutations.length > 0) {
        transaction.setQueuedMutations(mutations.map((mutation) => Mutation.create(wireMutation(mutation))));
        await transaction.commit(commitOptions(commit, deadlineMs));
      } else {
        transaction.end();
      }
      return result;
    } catch (error) {
      transaction.end();
      throw error;
    }
  });
}

/**
 * After a read that failed, the client begins the transaction once more and lets go of the promise: while Spanner is down
 * its rejection would go unheard, which ends the process.
 */
function hearBegin(transaction: Transaction): void {
  const { begin } = transaction;
  const value = (...given: unknown[]): unknown => {
    const begun: unknown = Reflect.apply(begin, transaction, given);
    if (begun instanceof Promise) begun.catch(() => {});
    return begun;
  };
  Object.defineProperty(transaction, 'begin', { value });
}

function commitOptions(commit: Pipeline['commit'] | undefined, deadlineMs: number) {
  const priority = `PRIORITY_${(commit?.priority ?? 'medium').toUpperCase()}`;
  const delayMs = commit?.maxDelayMs ?? 0;
  return {
    requestOptions: { priority: RequestOptions.Priority[priorityName(priority)] },
    gaxOptions: { timeout: deadlineMs, maxRetries: MAX_CALL_RETRIES },
    ...(delayMs > 0 ? { maxCommitDelay: { seconds: 0, nanos: delayMs * 1_000_000 } } : {}),
  };
}

function priorityName(name: string): 'PRIORITY_LOW' | 'PRIORITY_MEDIUM' | 'PRIORITY_HIGH' {
  return name === 'PRIORITY_LOW' || name === 'PRIORITY_HIGH' ? name : 'PRIORITY_MEDIUM';
}

interface WantedRows {
  readonly table: string;
  readonly keys: readonly (readonly Cell[])[];
  readonly columns: readonly string[];
  readonly deadlineMs: number;
}

async function read(transaction: Transaction, { table, keys, columns, deadlineMs }: WantedRows): Promise<Cell[][]> {
  if (keys.length === 0) return [];
  const [rows] = await transaction.read(table, {
    keySet: wireKeys(keys),
    columns: [...columns],
    gaxOptions: { timeout: deadlineMs },
  });
  return rows.map((row) => cellsOf(fieldsOf(row)));
}

/** The client types a row as one form or the other; without `json` it is a list of fields. */
function fieldsOf(row: unknown): ClientRow {
  if (Array.isArray(row)) return row;
  throw new TypeError('The Spanner client answered with an object where a list of fields was asked for');
}
