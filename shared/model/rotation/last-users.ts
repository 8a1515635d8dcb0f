import { isWithoutWaiting, type Rotation, type RotationTimes } from './rotation.ts';

/** A process that was seen with a version of a secret. */
export interface SecretUser {
  readonly holder: string;
  readonly version: number;
  readonly seenAtMs: number;
}

/** A process reports within a minute as long as it lives; one that is silent for longer has ended, or sleeps and reads anew when it wakes. */
export const silentMs = 3 * 60_000;

const MAX_NAMED = 5;

/** Whether the old version may be taken away. */
export type LastUsers =
  | { readonly may: 'go' }
  | { readonly may: 'wait'; readonly reason: string }
  /** They were waited for long enough: it is taken away, and said. */
  | { readonly may: 'go-despite'; readonly reason: string; readonly holders: readonly string[] };

/**
 * Decides whether the old version waits for its last users, after its overlap.
 *
 * A rotation that was told not to wait for its overlap, since the value is in wrong hands, waits for nobody.
 */
export function lastUsers(
  rotation: Rotation,
  users: readonly SecretUser[],
  { times, nowMs }: { readonly times: RotationTimes; readonly nowMs: number },
): LastUsers {
  const { fromVersion, retireAtMs } = rotation;
  if (fromVersion === undefined || retireAtMs === undefined || isWithoutWaiting(rotation)) return { may: 'go' };
  const still = users.filter(({ version, seenAtMs }) => version === fromVersion && nowMs - seenAtMs < silentMs);
  if (still.length === 0) return { may: 'go' };
  const holders = still.map(({ holder }) => holder).sort();
  const named = holders.slice(0, MAX_NAMED).join(', ');
  const more = holders.length > MAX_NAMED ? ` and ${holders.length - MAX_NAMED} more` : '';
  const untilMs = retireAtMs + times.waitForUsersMs;
  if (nowMs < untilMs) {
    const until = new Date(untilMs).toISOString();
    return { may: 'wait', reason: `version ${fromVersion} is still used by ${named}${more}; waits until ${until}` };
  }
  return { may: 'go-despite', reason: `version ${fromVersion} was taken away from ${named}${more}`, holders };
}
