import { isOverdue } from './due-rotation.ts';
import { type SecretUser, silentMs } from './last-users.ts';
import { isDeciding, isOver, type Rotation } from './rotation.ts';

/** What is looked at of a rotation that is written. */
export interface RotationRecord
  extends Pick<
    Rotation,
    | 'id'
    | 'kind'
    | 'step'
    | 'fromVersion'
    | 'toVersion'
    | 'finishedAtMs'
    | 'retireAtMs'
    | 'destroyAtMs'
    | 'reason'
    | 'failedStep'
  > {
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
}

/** `held-up`: it failed, and is tried again from the same step. */
export type RotationResult = 'none' | 'rotating' | 'held-up' | 'rotated' | 'failed';

/** The version before `current`, as the rotation that replaced it left it. */
export interface PreviousVersion {
  readonly version: number;
  readonly state: 'enabled' | 'disabled' | 'destroyed';
  /** When its state ends at the earliest; undefined for one that was destroyed. */
  readonly untilMs: number | undefined;
}

/** How a secret stands, as far as the control tables tell. */
export interface SecretStanding {
  /** Undefined while nothing was ever rotated. */
  readonly current: number | undefined;
  readonly previous: PreviousVersion | undefined;
  /** When `current` was made; undefined for a version that is older than the first rotation. */
  readonly madeAtMs: number | undefined;
  readonly nextAtMs: number | undefined;
  readonly isOverdue: boolean;
  readonly result: RotationResult;
  /** The rotation that the result is of, the newest that was not skipped. */
  readonly last: RotationRecord | undefined;
  /** The newest that failed for good, however long ago. */
  readonly lastFailed: RotationRecord | undefined;
  /** Whoever lives and goes by another version than `current`, by name. */
  readonly stillOld: readonly SecretUser[];
}

/**
 * Tells how a secret stands from its rotations and users alone: no value, and nothing of Secret Manager.
 *
 * A version counts as made when its rotation began, which is never later than it was.
 */
export function standingOfSecret(
  period: { readonly everyMs: number },
  known: readonly RotationRecord[],
  users: readonly SecretUser[],
  nowMs: number,
): SecretStanding {
  const tried = known.filter(({ step }) => step !== 'skipped');
  const last = newestBy(tried, ({ startedAtMs }) => startedAtMs);
  const hadEffect = tried.filter(({ finishedAtMs }) => finishedAtMs !== undefined);
  const finished = newestBy(hadEffect, ({ finishedAtMs }) => finishedAtMs ?? 0);
  const current = finished ? finished.toVersion : last?.fromVersion;
  const makers = hadEffect.filter(({ kind, toVersion }) => kind === 'rotate' && toVersion === current);
  const madeAtMs = newestBy(makers, ({ startedAtMs }) => startedAtMs)?.startedAtMs;
  const isKnown = current !== undefined && madeAtMs !== undefined;
  return {
    current,
    previous: finished && previousOf(finished),
    madeAtMs: isKnown ? madeAtMs : undefined,
    nextAtMs: isKnown ? madeAtMs + period.everyMs : undefined,
    isOverdue: isKnown && isOverdue(period, nowMs - madeAtMs, undefined, nowMs),
    result: resultOf(last),
    last,
    lastFailed: newestBy(
      tried.filter(({ step }) => step === 'failed'),
      ({ startedAtMs }) => startedAtMs,
    ),
    stillOld: users
      .filter(({ version, seenAtMs }) => current !== undefined && version !== current && nowMs - seenAtMs < silentMs)
      .sort((a, b) => a.holder.localeCompare(b.holder)),
  };
}

/** @param finished the newest rotation that moved `current` */
function previousOf(finished: RotationRecord): PreviousVersion | undefined {
  const { fromVersion: version, step, retireAtMs, destroyAtMs } = finished;
  if (version === undefined) return undefined;
  if (step === 'retire') return { version, state: 'enabled', untilMs: retireAtMs };
  if (step === 'destroy') return { version, state: 'disabled', untilMs: destroyAtMs };
  return { version, state: 'destroyed', untilMs: undefined };
}

function resultOf(last: RotationRecord | undefined): RotationResult {
  if (!last) return 'none';
  if (last.step === 'failed') return 'failed';
  if (isOver(last) || !isDeciding(last)) return 'rotated';
  return last.reason === undefined ? 'rotating' : 'held-up';
}

function newestBy(
  rotations: readonly RotationRecord[],
  when: (rotation: RotationRecord) => number,
): RotationRecord | undefined {
  return rotations.reduce<RotationRecord | undefined>(
    (newest, rotation) => (newest && when(newest) >= when(rotation) ? newest : rotation),
    undefined,
  );
}
