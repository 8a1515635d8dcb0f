import { PenstockError } from '../../shared/base/errors.ts';
import type { TickOutcome } from './tick.ts';

/** More secrets than these are counted only: the problem names them all. */
const MAX_NAMED = 5;

/** Some secret needed what it did not get: to whoever looks at the status alone, the tick has not succeeded. */
export class TickIncompleteError extends PenstockError {
  /** What came of each secret, for the answer. */
  readonly secrets: readonly unknown[];

  constructor(
    message: string,
    options: { readonly code: string; readonly remedy: string },
    secrets: readonly unknown[],
  ) {
    super(message, { ...options, retryable: options.code !== 'FORBIDDEN' });
    this.secrets = secrets;
  }
}

/**
 * Decides whether a tick has failed.
 *
 * @param caller who asked for it
 * @param secrets the outcomes as they are shown
 * @returns undefined when every secret got what it needed
 */
export function incompleteTick(
  caller: string,
  outcomes: readonly TickOutcome[],
  secrets: readonly unknown[],
): TickIncompleteError | undefined {
  if (outcomes.length > 0 && outcomes.every(({ refused }) => refused !== undefined)) {
    const remedy = 'Let a policy permit the schedule’s account to rotate them, or stop the schedule';
    return new TickIncompleteError(
      `policies do not let ${caller} rotate any secret`,
      { code: 'FORBIDDEN', remedy },
      secrets,
    );
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return undefined;
  const named = failed.slice(0, MAX_NAMED).map(({ secret, error }) => `${secret}: ${error}`);
  const more = failed.length > named.length ? `; and ${failed.length - named.length} more` : '';
  const remedy = 'Mend what is named: npx penstock secrets list. The next tick goes on by itself';
  const message = `${failed.length} of ${outcomes.length} secrets did not get what they needed: ${named.join('; ')}${more}`;
  return new TickIncompleteError(message, { code: 'TICK_INCOMPLETE', remedy }, secrets);
}
