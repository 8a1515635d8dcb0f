import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
/** A busy machine is no reason to give up. */
const TIMEOUT_MS = 120_000;
const LOOK_MS = 100;
const STALLED_MS = 180_000;

/** Waits until something holds. @throws {Error} naming it when it does not within the time */
export async function waitUntil(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = TIMEOUT_MS,
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

/** How far something has come. */
export interface Progress {
  readonly isDone: boolean;
  /** Another text whenever something has moved. */
  readonly state: string;
}

/**
 * Waits as long as something moves, however slowly.
 *
 * Time in which this process itself did not run does not count: where it got no processor, the others got none either.
 *
 * @returns false when nothing has moved for three minutes
 */
export async function isDoneInTheEnd(
  look: () => Progress | Promise<Progress>,
  stalledMs: number = STALLED_MS,
): Promise<boolean> {
  let last = '';
  let stoodMs = 0;
  for (;;) {
    const startedAt = performance.now();
    const { isDone, state } = await look();
    if (isDone) return true;
    if (state !== last) stoodMs = 0;
    last = state;
    await delay(LOOK_MS);
    stoodMs += Math.min(performance.now() - startedAt, 2 * LOOK_MS);
    if (stoodMs > stalledMs) return false;
  }
}

/** Waits as long as something moves. @throws {Error} naming what did not come, and where it stood */
export async function waitWhileMoving(
  what: string,
  look: () => Progress | Promise<Progress>,
  stalledMs: number = STALLED_MS,
): Promise<void> {
  let state = '';
  const isDone = await isDoneInTheEnd(async () => {
    const progress = await look();
    state = progress.state;
    return progress;
  }, stalledMs);
  if (!isDone) throw new Error(`Nothing has moved for ${stalledMs} ms, and not: ${what}; it stood at ${state}`);
}
