import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 250;
const MAX_MS = 10_000;

/** Pauses between attempts: doubling, with jitter, never over 10 s. */
export function* retryDelays(firstMs = FIRST_MS, maxMs = MAX_MS): Generator<number, never> {
  for (let delayMs = firstMs; ; delayMs = Math.min(delayMs * 2, maxMs)) yield delayMs * (0.75 + Math.random() / 2);
}

/** Waits, but no longer than until the signal. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => {});
}
