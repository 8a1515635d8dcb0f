import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when the clock has reached a moment; looks at it at least every `maxSleepMs`. Rejects when aborted. */
export async function waitUntil(
  atMs: number,
  options: { now: () => number; maxSleepMs: number; signal: AbortSignal },
): Promise<void> {
  for (let leftMs = atMs - options.now(); leftMs > 0; leftMs = atMs - options.now()) {
    await sleep(Math.min(leftMs, options.maxSleepMs), undefined, { signal: options.signal });
  }
}
