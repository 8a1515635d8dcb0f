import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { aborted, type CommitResult, type Database } from './database.ts';
import { ReadSet } from './read-set.ts';
import type { WireMutation } from './wire-mutation.ts';

const IDLE_MS = 60_000;
const REMEMBER_MICROS = 3_600_000_000;
const MAX_REMEMBERED = 100_000;
const MAX_OPEN = 20_000;

/** A read-write transaction: what it has read at which snapshot. */
export interface ReadWriteTransaction {
  readonly id: string;
  readonly session: string;
  readonly readSet: ReadSet;
  /** Fixed by the first read. */
  view: { readonly snapshot: number; readonly schemaVersion: number } | undefined;
  usedAt: number;
  outcome: Promise<CommitResult> | 'rolled-back' | undefined;
}

/** The read-write transactions of one database, open and lately committed. */
export class Transactions {
  readonly #database: Database;
  readonly #now: () => number;
  /** Tells the transactions of this run from those of an earlier one. */
  readonly #run = randomBytes(6).toString('hex');
  readonly #open = new Map<string, ReadWriteTransaction>();
  readonly #committed: Map<string, CommitResult>;
  #count = 0;

  /** @param committed what an earlier run committed, by transaction id */
  constructor(database: Database, now: () => number, committed: Map<string, CommitResult>) {
    this.#database = database;
    this.#now = now;
    this.#committed = committed;
  }

  begin(session: string): ReadWriteTransaction {
    this.expire();
    if (this.#open.size >= MAX_OPEN) {
      throw new RpcError(
        status.RESOURCE_EXHAUSTED,
        `More than ${MAX_OPEN} transactions are open: commit or roll back some.`,
      );
    }
    this.#count += 1;
    const transaction: ReadWriteTransaction = {
      id: `rw-${this.#run}-${this.#count}`,
      session,
      readSet: new ReadSet(),
      view: undefined,
      usedAt: this.#now(),
      outcome: undefined,
    };
    this.#open.set(transaction.id, transaction);
    return transaction;
  }

  /** The snapshot that a transaction reads at. */
  viewOf(transaction: ReadWriteTransaction): { snapshot: number; schemaVersion: number } {
    const { clock, schemaVersion } = this.#database;
    transaction.view ??= { snapshot: clock.strongRead(), schemaVersion };
    if (transaction.view.schemaVersion !== schemaVersion) {
      this.#open.delete(transaction.id);
      throw aborted('Transaction was aborted: the schema changed while it ran.');
    }
    return transaction.view;
  }

  /** A transaction that can still read and commit. */
  use(id: string, session: string): ReadWriteTransaction {
    const transaction = this.#find(id, session);
    if (transaction.outcome !== undefined) {
      throw new RpcError(
        status.FAILED_PRECONDITION,
        'Cannot start a read or query within a transaction after Commit() or Rollback() has been called.',
      );
    }
    return transaction;
  }

  /** Commits once: repeated, it gives the first outcome again. */
  async commit(id: string, session: string, mutations: readonly WireMutation[]): Promise<CommitResult> {
    const done = this.#committed.get(id);
    if (done) return done;
    const transaction = this.#find(id, session);
    if (transaction.outcome === 'rolled-back') {
      throw new RpcError(status.FAILED_PRECONDITION, 'Cannot commit a transaction after Rollback() has been called.');
    }
    transaction.outcome ??= this.#commit(transaction, mutations);
    return transaction.outcome;
  }

  rollBack(id: string, session: string): void {
    const transaction = this.#open.get(id);
    if (!transaction || transaction.session !== session || transaction.outcome instanceof Promise) return;
    transaction.outcome = 'rolled-back';
  }

  /** The ids of transactions that committed lately, by their timestamps in microseconds. */
  committedAt(): ReadonlyMap<number, string> {
    return new Map([...this.#committed].map(([id, { timestamp }]) => [timestamp, id]));
  }

  /** Ends a transaction as a conflict would; false where it has begun to commit. */
  abort(id: string): boolean {
    const transaction = this.#open.get(id);
    if (this.#committed.has(id) || transaction?.outcome instanceof Promise) return false;
    this.#open.delete(id);
    return true;
  }

  /** Lets go of transactions that nobody used for a minute, and of commits older than an hour. */
  expire(): void {
    const idleSince = this.#now() - IDLE_MS;
    for (const [id, transaction] of this.#open) {
      // In order of their beginning: most are at the end of their use when they come to the front.
      if (transaction.usedAt < idleSince) this.#open.delete(id);
      else break;
    }
    const forgetBefore = this.#database.clock.nowMicros() - REMEMBER_MICROS;
    for (const [id, result] of this.#committed) {
      if (result.timestamp >= forgetBefore && this.#committed.size <= MAX_REMEMBERED) break;
      this.#committed.delete(id);
    }
  }

  async #commit(transaction: ReadWriteTransaction, mutations: readonly WireMutation[]): Promise<CommitResult> {
    const reads = transaction.view && { readSet: transaction.readSet, ...transaction.view };
    try {
      const result = await this.#database.commit({ mutations, transaction: transaction.id, ...(reads && { reads }) });
      this.#committed.set(transaction.id, result);
      this.#open.delete(transaction.id);
      return result;
    } catch (error) {
      if (error instanceof RpcError && error.code === status.ABORTED) this.#open.delete(transaction.id);
      throw error;
    }
  }

  #find(id: string, session: string): ReadWriteTransaction {
    const transaction = this.#open.get(id);
    if (!id.startsWith('rw-') || (transaction && transaction.session !== session)) {
      throw new RpcError(status.NOT_FOUND, `Transaction not found in session ${session}.`);
    }
    // Aborted, expired or lost in a restart: in no case has it committed.
    if (!transaction) throw aborted('Transaction was aborted: it is no longer open.');
    transaction.usedAt = this.#now();
    // Back to the end of the line, so that expiry finds idle ones in front.
    this.#open.delete(id);
    this.#open.set(id, transaction);
    return transaction;
  }
}
