import { setTimeout as sleep } from 'node:timers/promises';
import type { Pipeline } from '../../model/config/declaration.ts';
import type { TableMutation } from '../../model/events/resolve/change.ts';
import type { Cell } from '../../model/events/values/cell.ts';
import type { CallOptions, SpannerChannel } from './channel.ts';
import { encodeCommit, encodeMutationKey } from './commit-bytes.ts';
import { DecodeError } from './reader/reader-error.ts';
import {
  encodeBegin,
  encodeKeySet,
  encodeRead,
  encodeRollback,
  selectNewReadWrite,
  selectTransaction,
} from './request-bytes.ts';
import { decodeCommitRetry, decodeTransaction, type PrecommitToken } from './response-bytes.ts';
import { RowDecoder } from './row-decoder.ts';
import { ABORTED, grpcCode, isLostSession, UNAVAILABLE } from './spanner-errors.ts';

/** How a transaction commits. */
export type CommitOptions = Pipeline['commit'];

/** Of a commit whose answer was lost; the server knows it by its transaction. */
const MAX_COMMIT_CALLS = 3;
/** Of a commit that the server wants with a newer token. */
const MAX_TOKENS = 5;
const FIRST_RETRY_MS = 20;
const ROLLBACK_TIMEOUT_MS = 5_000;

/** One attempt of a read-write transaction. Its errors are gRPC's, or a `DecodeError`. */
export interface Attempt {
  /** The rows of these keys that exist, in the table's key order; the first read begins the transaction. */
  read(table: string, keys: readonly (readonly Cell[])[], columns: readonly string[]): Promise<Cell[][]>;
  commit(mutations: readonly TableMutation[]): Promise<void>;
  /** Lets go of the locks; not waited for. */
  rollBack(): void;
  /** Lets go of what the attempt still holds after it failed. */
  giveUp(error: unknown): void;
  /** Undefined as long as it has not begun. */
  transactionId(): Uint8Array | undefined;
}

/** Opens an attempt; nothing is sent before its first read or its commit. */
export async function openAttempt(
  channel: SpannerChannel,
  options: {
    readonly commit: CommitOptions | undefined;
    /** Milliseconds since 1970. */
    readonly deadlineAt: number;
    /** Of the attempt before, which was aborted. */
    readonly previousTransactionId: Uint8Array | undefined;
  },
): Promise<Attempt> {
  const { deadlineAt } = options;
  const session = await channel.session(deadlineAt);
  return new OpenAttempt(channel, { session, deadlineAt, toLeader: true }, options);
}

class OpenAttempt implements Attempt {
  readonly #channel: SpannerChannel;
  readonly #call: CallOptions & { readonly deadlineAt: number };
  readonly #commit: CommitOptions | undefined;
  readonly #previousTransactionId: Uint8Array | undefined;
  #id: Uint8Array | undefined;
  #token: PrecommitToken | undefined;
  /** Reads go one after the other: the second needs the transaction that the first begins. */
  #reads: Promise<unknown> = Promise.resolve();

  constructor(
    channel: SpannerChannel,
    call: CallOptions & { readonly deadlineAt: number },
    options: { readonly commit: CommitOptions | undefined; readonly previousTransactionId: Uint8Array | undefined },
  ) {
    this.#channel = channel;
    this.#call = call;
    this.#commit = options.commit;
    this.#previousTransactionId = options.previousTransactionId;
  }

  transactionId(): Uint8Array | undefined {
    return this.#id;
  }

  read(table: string, keys: readonly (readonly Cell[])[], columns: readonly string[]): Promise<Cell[][]> {
    if (keys.length === 0) return Promise.resolve([]);
    const rows = this.#reads.then(() => this.#readNow(table, keys, columns));
    this.#reads = rows;
    // Its caller hears of a failure; those that wait behind it fail alike.
    rows.catch(() => {});
    return rows;
  }

  async #readNow(table: string, keys: readonly (readonly Cell[])[], columns: readonly string[]): Promise<Cell[][]> {
    const { session } = this.#call;
    const request = encodeRead({
      session,
      selector: this.#id ? selectTransaction(this.#id) : selectNewReadWrite(this.#beginOptions()),
      table,
      columns,
      keySet: encodeKeySet({ keys }),
      priority: this.#commit?.priority,
      transactionTag: this.#commit?.tag,
    });
    const result = new RowDecoder(columns);
    await this.#channel.collect('StreamingRead', request, this.#call, (message) => {
      result.push(message);
      // Known even if the stream breaks: the transaction is to be rolled back then.
      this.#id ??= result.transactionId;
      this.#keepToken(result.precommitToken);
    });
    const rows = result.finish();
    if (!this.#id) throw new DecodeError('a read that begins a transaction has no transaction id');
    if (rows.length > keys.length) throw new DecodeError(`${keys.length} keys of ${table} gave ${rows.length} rows`);
    return rows;
  }

  async commit(mutations: readonly TableMutation[]): Promise<void> {
    const transactionId = this.#id ?? (await this.#begin(mutations));
    const { priority = 'medium', tag, maxDelayMs = 0 } = this.#commit ?? {};
    for (let tokens = 1; ; tokens++) {
      const request = encodeCommit({
        session: this.#call.session,
        transactionId,
        mutations,
        priority,
        transactionTag: tag,
        maxCommitDelayMs: maxDelayMs,
        precommitToken: this.#token?.bytes,
      });
      const retry = decodeCommitRetry(await this.#sendCommit(request));
      if (!retry) return;
      if (tokens === MAX_TOKENS)
        throw new DecodeError(`a commit was answered by ${MAX_TOKENS} tokens, one after another`);
      // Whatever its number, the one that the commit is to be repeated with counts.
      this.#token = retry;
    }
  }

  async #sendCommit(request: Buffer): Promise<Buffer> {
    for (let calls = 1; ; calls++) {
      try {
        return await this.#channel.unary('Commit', request, this.#call);
      } catch (error) {
        if (grpcCode(error) !== UNAVAILABLE || calls === MAX_COMMIT_CALLS) throw error;
        const delayMs = FIRST_RETRY_MS * 2 ** (calls - 1) * (1 + Math.random());
        if (Date.now() + delayMs >= this.#call.deadlineAt) throw error;
        await sleep(delayMs);
      }
    }
  }

  async #begin(mutations: readonly TableMutation[]): Promise<Uint8Array> {
    const request = encodeBegin(this.#call.session, {
      ...this.#beginOptions(),
      mutationKey: encodeMutationKey(mutations),
      transactionTag: this.#commit?.tag,
    });
    const { id, precommitToken } = decodeTransaction(
      await this.#channel.unary('BeginTransaction', request, this.#call),
    );
    if (id.length === 0) throw new DecodeError('a transaction has no id');
    this.#id = id;
    this.#keepToken(precommitToken);
    return id;
  }

  #beginOptions() {
    return {
      previousTransactionId: this.#previousTransactionId,
      excludeFromChangeStreams: this.#commit?.excludeFromChangeStreams,
    };
  }

  #keepToken(token: PrecommitToken | undefined): void {
    if (token && (!this.#token || token.sequence > this.#token.sequence)) this.#token = token;
  }

  rollBack(): void {
    if (!this.#id) return;
    const { session } = this.#call;
    const call = { session, toLeader: true, deadlineAt: Date.now() + ROLLBACK_TIMEOUT_MS };
    // Locks that stay are let go by the server itself, a few seconds later.
    this.#channel.unary('Rollback', encodeRollback(session, this.#id), call).catch(() => {});
  }

  giveUp(error: unknown): void {
    if (isLostSession(error)) this.#channel.forgetSession(this.#call.session);
    else if (grpcCode(error) !== ABORTED && grpcCode(error) !== UNAVAILABLE) this.rollBack();
  }
}
