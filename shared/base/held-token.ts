import type { Clock } from './clock.ts';
import { PenstockError } from './errors.ts';

/** From then on a new token is asked for, while the one in hand is still given. Google's servers keep theirs until about then, too. */
const RENEW_MS = 5 * 60_000;
/** What a token must still live for, so that it does not expire on its way, or before a slow server looks at it. */
const MIN_LIFE_MS = 60_000;
/** Between two attempts to renew a token that is still good. */
const COOLDOWN_MS = 10_000;
/** Google's library sets none on Cloud Run. */
const TIMEOUT_MS = 30_000;

/** A token, or what carries it. */
export interface Expiring {
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** The identity gave a token that would expire on its way. */
class ExpiringTokenError extends PenstockError {
  constructor(leftMs: number) {
    super(`A new token ends ${Math.floor(leftMs / 1000)} s from now, wanted are at least ${MIN_LIFE_MS / 1000} s`, {
      code: 'TOKEN_EXPIRES',
      remedy: 'Compare this machine’s clock with the time of day, and how long the identity’s tokens live',
      retryable: true,
    });
  }
}

/**
 * Keeps a token until shortly before it expires.
 *
 * One that lives for less than five minutes is renewed while callers go on with it: a source that fails, or does not answer,
 * holds nobody up before a minute is left. Then callers wait, all of them for one request.
 *
 * @param fetch asks for a new one; given up after half a minute
 * @returns a function that gives a token which lives for a minute at least; `fresh` says that the one in hand was refused
 * @throws what `fetch` throws, from that function, when there is no token that lives for long enough
 * @throws {PenstockError} `TOKEN_EXPIRES` from that function, when a new one does not
 */
export function holdToken<T extends Expiring>(
  fetch: () => Promise<T>,
  { clock, timeoutMs = TIMEOUT_MS }: { readonly clock: Clock; readonly timeoutMs?: number },
): (fresh: boolean) => Promise<T> {
  let held: T | undefined;
  let asking: Promise<T> | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;

  const leftMs = (token: T | undefined): number => (token ? token.expiresAtMs - clock() : 0);
  const ask = (): Promise<T> => {
    askedAtMs = clock();
    asking ??= within(timeoutMs, fetch())
      .then((token) => {
        if (leftMs(token) >= leftMs(held)) held = token;
        return token;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };

  return async (fresh) => {
    if (fresh) held = undefined;
    if (held === undefined || leftMs(held) < MIN_LIFE_MS) {
      const token = await ask();
      if (leftMs(token) < MIN_LIFE_MS) throw new ExpiringTokenError(leftMs(token));
      return token;
    }
    const isDue = leftMs(held) < RENEW_MS && clock() - askedAtMs >= COOLDOWN_MS;
    // Why it failed is said when it matters: when the one in hand is at its end.
    if (isDue) ask().catch(() => {});
    return held;
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new DOMException(`It took longer than ${ms} ms`, 'TimeoutError')), ms);
  // A process that has nothing else to do need not wait for a token.
  timer.unref();
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
