import type { Log } from '../../shared/base/log.ts';
import type { RotatedSecret } from '../../shared/model/config/declaration.ts';
import type { RotationStep } from '../../shared/model/rotation/rotation.ts';

const DAY_MS = 86_400_000;

/** Wakes somebody: a rotation failed. What is in use goes on working. */
export function alertFailed(
  log: Log,
  failed: {
    readonly secret: string;
    readonly reason: string | undefined;
    readonly id?: string;
    /** Where it was refused, or is held up. */
    readonly failedStep?: RotationStep | undefined;
  },
): void {
  const { secret, reason, id, failedStep } = failed;
  const where = failedStep === undefined ? '' : ` at step ${failedStep}`;
  log('ALERT', `Secret ${secret} was not rotated${where}: ${reason ?? 'unknown'}. What is in use goes on working`, {
    alert: 'rotation-failed',
    secret,
    rotation: id,
    step: failedStep,
    command: `npx penstock rotate ${secret}`,
  });
}

/** Wakes somebody before what is in use breaks. */
export function alertOverdue(
  log: Log,
  { name, everyMs }: RotatedSecret,
  seen: {
    readonly ageMs: number | undefined;
    readonly expiresAtMs: number | undefined;
    readonly reason: string | undefined;
  },
): void {
  const days = (ms: number): string => `${(ms / DAY_MS).toFixed(1)} days`;
  const age = seen.ageMs === undefined ? 'has no version in use' : `is ${days(seen.ageMs)} old`;
  const expires = seen.expiresAtMs === undefined ? '' : ` and expires at ${new Date(seen.expiresAtMs).toISOString()}`;
  log('ALERT', `Secret ${name} ${age}, and is to be rotated every ${days(everyMs)}${expires}`, {
    alert: 'rotation-overdue',
    secret: name,
    ageMs: seen.ageMs,
    reason: seen.reason,
    command: `npx penstock rotate ${name}`,
  });
}
