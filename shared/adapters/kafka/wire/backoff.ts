const FIRST_MS = 50;
const MAX_MS = 2_000;

/** Waits between attempts that fail: longer each time, at random around that, so that members do not come back at once. */
export interface Backoff {
  /** Resolves after a while, or at once when it is over. */
  wait(): Promise<void>;
  reset(): void;
}

export function openBackoff(over: AbortSignal): Backoff {
  let delayMs = FIRST_MS;
  return {
    async wait() {
      const ms = delayMs * (0.5 + Math.random());
      delayMs = Math.min(MAX_MS, 2 * delayMs);
      await sleep(ms, over);
    },
    reset() {
      delayMs = FIRST_MS;
    },
  };
}

/** Resolves after so many milliseconds, or as soon as one of the signals is aborted. */
export async function sleep(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  const timer = setTimeout(wake, ms);
  for (const signal of signals) signal.addEventListener('abort', wake);
  await promise;
  clearTimeout(timer);
  for (const signal of signals) signal.removeEventListener('abort', wake);
}
