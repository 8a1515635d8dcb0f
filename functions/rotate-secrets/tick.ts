import type { StoredSecret } from '../../shared/adapters/secrets/secret-vault.ts';
import { RotationLeasedError } from '../../shared/adapters/spanner/rotations/rotation-store.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { RotatedSecret } from '../../shared/model/config/declaration.ts';
import { dueRotation, isOverdue } from '../../shared/model/rotation/due-rotation.ts';
import { isDeciding, isOver, isWaiting, type Rotation } from '../../shared/model/rotation/rotation.ts';
import { alertFailed, alertOverdue } from './alerts.ts';
import { rotateSecret } from './rotate-secret.ts';
import { type RotationTools, runRotation } from './run-rotation.ts';

/** What a tick did for one secret. */
export interface TickOutcome {
  readonly secret: string;
  /** Rotations that it went on with or began. */
  readonly rotations: readonly Rotation[];
  /** Another process is at it: nothing is wrong. */
  readonly busy?: string;
  /** Policies do not let the caller rotate it. */
  readonly refused?: string;
  /** What it needed and did not get; it may get it at the next tick. */
  readonly error?: string;
}

/** Is told when the version in use was made; undefined where none is. */
export type OnLook = (secret: RotatedSecret, madeAtMs: number | undefined) => void;

interface Looking {
  readonly log: Log;
  readonly tools: Pick<RotationTools, 'store' | 'vault' | 'clock'>;
  readonly onLook?: OnLook | undefined;
}

/**
 * Sees to one secret: goes on with what was left, takes old versions away that are due, begins what is due, and raises the alarm
 * where a rotation failed or is overdue.
 */
export async function tickSecret(
  secret: RotatedSecret,
  options: Looking & { readonly requestedBy: string; readonly tools: RotationTools },
): Promise<TickOutcome> {
  const { log, tools, requestedBy } = options;
  const rotations: Rotation[] = [];
  try {
    for (const rotation of await tools.store.list(secret.name)) {
      if (isOver(rotation)) continue;
      const next = await runRotation(rotation, tools);
      if (next.step === 'failed') alertFailed(log, next);
      if (next.step !== rotation.step) rotations.push(next);
    }
    const known = await tools.store.list(secret.name);
    const seen = await tools.vault.look(secret.name);
    const id = dueRotation(secret, known, ageOf(seen, tools.clock()), tools.clock());
    if (id !== undefined) {
      const request = { secret: secret.name, id, kind: 'rotate', now: false } as const;
      const { rotation } = await rotateSecret(request, requestedBy, tools);
      rotations.push(rotation);
      if (rotation.step === 'failed') alertFailed(log, rotation);
    }
    const { isDue, last } = await lookAt(secret, await tools.store.list(secret.name), options);
    const failed = isDue && last?.step === 'failed' ? { error: `${sayFailed(last)}; it is begun again by itself` } : {};
    return { secret: secret.name, rotations, ...failed };
  } catch (error) {
    const known = await tools.store.list(secret.name).catch(() => []);
    await lookAt(secret, known, options).catch(() => {});
    // Whoever has it alerts where it fails.
    if (error instanceof RotationLeasedError) return { secret: secret.name, rotations, busy: error.message };
    // The rotation that is under way tells at which step it was; where even that could not be read, the reason alone.
    const held = known.findLast(isDeciding);
    const at = held ? { id: held.id, failedStep: held.failedStep ?? held.step } : {};
    alertFailed(log, { secret: secret.name, reason: messageOf(error), ...at });
    tools.onEnd?.('held-up');
    return { secret: secret.name, rotations, error: messageOf(error) };
  }
}

/** Looks at one secret that the caller may not have rotated: one that is due is missed by nobody else. */
export async function lookAtRefused(secret: RotatedSecret, refused: string, looking: Looking): Promise<TickOutcome> {
  const outcome = { secret: secret.name, rotations: [], refused };
  try {
    const { isDue, waits } = await lookAt(secret, await looking.tools.store.list(secret.name), looking);
    if (!isDue && !waits) return outcome;
    return { ...outcome, error: `${isDue ? 'a rotation is due' : 'a rotation is to be gone on with'}, and ${refused}` };
  } catch (error) {
    return { ...outcome, error: messageOf(error) };
  }
}

/** Raises the alarm where it is overdue, and tells what it needs. */
async function lookAt(secret: RotatedSecret, known: readonly Rotation[], { log, tools, onLook }: Looking) {
  const seen = await tools.vault.look(secret.name);
  const now = tools.clock();
  const age = ageOf(seen, now);
  onLook?.(secret, age.ageMs === undefined ? undefined : now - age.ageMs);
  if (isOverdue(secret, age.ageMs, seen.expiresAtMs, now)) {
    const reason = known.findLast((rotation) => rotation.reason !== undefined)?.reason;
    alertOverdue(log, secret, { ...age, expiresAtMs: seen.expiresAtMs, reason });
  }
  return {
    isDue: age.ageMs === undefined || age.ageMs >= secret.everyMs,
    waits: known.some((rotation) => !isOver(rotation) && !isWaiting(rotation, now)),
    last: known.findLast(({ step }) => step !== 'skipped'),
  };
}

function sayFailed({ id, failedStep, reason }: Rotation): string {
  return `rotation ${id} failed${failedStep === undefined ? '' : ` at step ${failedStep}`}: ${reason ?? 'unknown'}`;
}

/** How old the version in use is; undefined where there is none. */
function ageOf(
  { aliases, versions }: StoredSecret,
  nowMs: number,
): { readonly current: number | undefined; readonly ageMs: number | undefined } {
  const { current } = aliases;
  const version = versions.find(({ number }) => number === current);
  return { current, ageMs: version && nowMs - version.createdAtMs };
}
