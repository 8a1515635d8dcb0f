import { setTimeout as sleep } from 'node:timers/promises';
import { isLostSession, StoreUnavailableError, sortedError } from './spanner-errors.ts';

const MAX_ATTEMPTS = 3;
const FIRST_RETRY_MS = 50;

/** What is called, for messages and limits. */
export interface RepeatedCall {
  /** What the call does, as a verb phrase. */
  readonly attempted: string;
  /** The table that a refusal is about. */
  readonly table: string;
  /** How long one attempt may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Called before an attempt is repeated that had no answer. */
  readonly onRepeat?: ((why: 'unavailable') => void) | undefined;
}

/**
 * Makes a call until Spanner has answered it: at most three times, and not again once the deadline has passed.
 *
 * @param call gives its errors as gRPC has them; gets the end of its time, in milliseconds since 1970
 * @throws {ConstraintError} when Spanner refuses what was asked
 * @throws {StoreUnavailableError} when it gave no answer: what was asked may or may not have happened
 */
export async function repeatCall<T>(
  { attempted, table, deadlineMs, onRepeat }: RepeatedCall,
  call: (deadlineAt: number) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(Date.now() + deadlineMs);
    } catch (error) {
      const sorted = isLostSession(error)
        ? new StoreUnavailableError(attempted, error)
        : sortedError(error, attempted, table);
      if (!(sorted instanceof StoreUnavailableError) || attempt === MAX_ATTEMPTS) throw sorted;
      if (performance.now() - startedAt > deadlineMs) throw sorted;
      onRepeat?.('unavailable');
      // A new session is there at once; everything else needs a while.
      if (isLostSession(error)) continue;
      await sleep(FIRST_RETRY_MS * 4 ** (attempt - 1) * (1 + Math.random()));
    }
  }
}
