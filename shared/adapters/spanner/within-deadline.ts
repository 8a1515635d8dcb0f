import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailableError } from './spanner-errors.ts';

/** What nobody waits for any more, while the client still repeats it. */
const abandoned = new Set<Promise<unknown>>();

/**
 * Gives up waiting for Spanner. The client repeats calls to a database that is down for up to an hour by itself; we rather
 * say so, and try again as a whole. What is given up may still happen: whoever tries again reads first.
 *
 * @throws {StoreUnavailableError} when the work has not ended in time
 */
export async function withinDeadline<T>(deadlineMs: number, attempted: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const cause = new Error(`Spanner has not answered within ${deadlineMs} ms`);
    timer = setTimeout(() => {
      abandoned.add(settled);
      void settled.then(() => abandoned.delete(settled));
      reject(new StoreUnavailableError(attempted, cause));
    }, deadlineMs);
  });
  const settled = work.then(
    () => {},
    () => {},
  );
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Waits for abandoned work, so that connections are not closed under it; not for longer than this. */
export async function settleAbandoned(maxMs: number): Promise<void> {
  if (abandoned.size === 0) return;
  const ending = new AbortController();
  await Promise.race([Promise.all(abandoned), sleep(maxMs, undefined, { signal: ending.signal }).catch(() => {})]);
  ending.abort();
}
