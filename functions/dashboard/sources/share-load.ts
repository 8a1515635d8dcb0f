import type { Clock } from '../../../shared/base/clock.ts';
import { PenstockError } from '../../../shared/base/errors.ts';

/** The look takes longer than a reader should wait; it goes on, and a later request may find it done. */
export class TooSlowError extends PenstockError {
  constructor(waitedMs: number) {
    super(`Spanner did not answer within ${waitedMs} ms`, {
      code: 'TOO_SLOW',
      remedy: 'Check that Spanner is up and reachable; the page tries again by itself',
      retryable: true,
    });
  }
}

/**
 * Shares one running load among all who ask, and its outcome for `keepMs`: many viewers cost one read.
 *
 * @throws {TooSlowError} from the returned function, when the load takes longer than `waitMs`
 */
export function shareLoad<T>(options: { keepMs: number; waitMs: number; clock: Clock }, load: () => Promise<T>) {
  let current: { outcome: Promise<T>; endedAtMs: number | undefined } | undefined;
  return async (): Promise<T> => {
    const { keepMs, waitMs, clock } = options;
    if (!current || (current.endedAtMs !== undefined && clock() - current.endedAtMs >= keepMs)) {
      const started: NonNullable<typeof current> = { outcome: load(), endedAtMs: undefined };
      const end = () => {
        started.endedAtMs = clock();
      };
      started.outcome.then(end, end);
      current = started;
    }
    return within(current.outcome, waitMs);
  };
}

async function within<T>(outcome: Promise<T>, waitMs: number): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TooSlowError(waitMs)), waitMs);
  try {
    return await Promise.race([outcome, expired]);
  } finally {
    clearTimeout(timer);
  }
}
