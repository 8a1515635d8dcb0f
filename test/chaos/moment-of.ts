import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from './random.ts';
import type { CommitMoment, Entrance } from './spanner-door.ts';

/** A commit that does not come within this time is not waited for. */
const MAX_WAIT_MS = 1_000;
/** Behind an answer: before or after the sink has told others of it. */
const MAX_BEHIND_MS = 5;

/** When a sink dies: in the middle of a commit, or at any time. */
export type KillMoment = CommitMoment | 'any';

/**
 * Settles in the moment that is asked for.
 *
 * @returns `any` where that did not come in time
 */
export async function momentOf(
  entrance: Entrance,
  moment: KillMoment,
  { random, maxWaitMs = MAX_WAIT_MS }: { readonly random: Random; readonly maxWaitMs?: number },
): Promise<KillMoment> {
  if (moment === 'any') return moment;
  const came = await nextOf(entrance, moment, maxWaitMs);
  if (came === 'answered') await delay(random.between(0, MAX_BEHIND_MS));
  return came;
}

function nextOf(entrance: Entrance, moment: CommitMoment, maxWaitMs: number): Promise<KillMoment> {
  return new Promise((settle) => {
    const done = (came: KillMoment): void => {
      unwatch();
      clearTimeout(timer);
      settle(came);
    };
    const unwatch = entrance.watch((seen) => {
      if (seen === moment) done(moment);
    });
    const timer = setTimeout(done, maxWaitMs, 'any');
  });
}
