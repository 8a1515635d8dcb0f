import type { Cell } from '../../model/events/values/cell.ts';
import type { SpannerChannel } from './channel.ts';
import { type RepeatedCall, repeatCall } from './repeat-call.ts';
import { encodeQuery, type Parameter, selectNewReadOnly, selectTransaction } from './request-bytes.ts';
import { RowDecoder } from './row-decoder.ts';
import { isLostSession } from './spanner-errors.ts';

/** A row of a query, by the names of its columns. */
export type QueryRow = Readonly<Record<string, Cell>>;

/** Runs one statement; texts are bound as STRING, numbers as INT64. */
export type Query = (sql: string, parameters?: Readonly<Record<string, Parameter>>) => Promise<QueryRow[]>;

/**
 * Runs statements one after the other at one timestamp, that of the first.
 *
 * @param run may be called several times; must leave nothing behind but its answer
 * @throws {ConstraintError} when Spanner refuses a statement
 * @throws {StoreUnavailableError} when Spanner cannot be reached or answers late
 */
export function readSnapshot<T>(
  channel: SpannerChannel,
  call: RepeatedCall,
  run: (query: Query) => Promise<T>,
): Promise<T> {
  return repeatCall(call, async (deadlineAt) => {
    const session = await channel.session(deadlineAt);
    let transactionId: Buffer | undefined;
    const query: Query = async (sql, parameters = {}) => {
      const selector = transactionId ? selectTransaction(transactionId) : selectNewReadOnly();
      const request = encodeQuery({ session, selector, sql, parameters });
      const result = new RowDecoder();
      await channel.collect('ExecuteStreamingSql', request, { session, deadlineAt }, (message) => result.push(message));
      result.finish();
      transactionId ??= result.transactionId;
      const names = result.columns.map(({ name }) => name);
      return result.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? null])));
    };
    try {
      return await run(query);
    } catch (error) {
      if (isLostSession(error)) channel.forgetSession(session);
      throw error;
    }
  });
}
