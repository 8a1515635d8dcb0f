import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/** Waits until something holds. @throws {Error} naming it when it does not within the time */
export async function waitUntil(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  if (!(await becomesTrue(holds, timeoutMs))) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
}

/** @returns false when it did not hold within the time */
export async function becomesTrue(holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
}
