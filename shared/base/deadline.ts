/** A signal with an end of its own. */
export interface Deadline extends Disposable {
  /** Aborted when the time is over, with a `TimeoutError`, or with one of the others, for its reason. */
  readonly signal: AbortSignal;
}

/**
 * Opens a signal that is aborted after so many milliseconds, or with another that comes first.
 *
 * `AbortSignal.any([other, AbortSignal.timeout(ms)])` would say the same, but Node 24 forgets an abort there when the garbage
 * collector takes the timeout first: work goes on past its deadline, or says that it has kept it.
 * Source: https://github.com/nodejs/node/issues/65995
 *
 * @param ms at most 2 ** 31 - 1, as timers
 * @returns dispose of it when the work is done: until then it keeps the process running, and listens to the others
 */
export function openDeadline(ms: number, ...others: readonly AbortSignal[]): Deadline {
  const ending = new AbortController();
  const late = (): void => ending.abort(new DOMException(`It took longer than ${ms} ms`, 'TimeoutError'));
  const timer = setTimeout(late, ms);
  const followed = others.map((other) => ({ other, follow: () => ending.abort(other.reason) }));
  for (const { other, follow } of followed) {
    if (other.aborted) follow();
    else other.addEventListener('abort', follow, { once: true });
  }
  return {
    signal: ending.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const { other, follow } of followed) other.removeEventListener('abort', follow);
    },
  };
}
