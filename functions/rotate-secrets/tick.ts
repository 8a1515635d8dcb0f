import type { StoredSecret } from '../../shared/adapters/secrets/secret-vault.ts';
import type { StoredRotation } from '../../shared/adapters/spanner/rotations/rotation-store.ts';
import { RotationLeasedError } from '../../shared/adapters/spanner/rotations/rotation-store.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { RotatedSecret } from '../../shared/model/config/declaration.ts';
import { dueRotation, isOverdue } from '../../shared/model/rotation/due-rotation.ts';
import { isDeciding, isOver, type Rotation } from '../../shared/model/rotation/rotation.ts';
import { alertFailed, alertOverdue } from './alerts.ts';
import { rotateSecret } from './rotate-secret.ts';
import { type RotationTools, runRotation } from './run-rotation.ts';

/** What a tick did for one secret. */
export interface TickOutcome {
  readonly secret: string;
  /** Rotations that it went on with or began. */
  readonly rotations: readonly Rotation[];
  /** What stands in the way, and may be gone at the next tick. */
  readonly error?: string;
}

/**
 * Sees to one secret: goes on with what was left, takes old versions away that are due, begins what is due, and raises the alarm
 * where a rotation failed or is overdue.
 */
export async function tickSecret(
  secret: RotatedSecret,
  options: { readonly requestedBy: string; readonly log: Log; readonly tools: RotationTools },
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
    await warnOverdue(secret, known, { log, tools });
    return { secret: secret.name, rotations };
  } catch (error) {
    // Whoever has it alerts where it fails.
    if (!(error instanceof RotationLeasedError)) await alertHeldUp(secret.name, error, options);
    await warnOverdue(secret, [], { log, tools }).catch(() => {});
    return { secret: secret.name, rotations, error: messageOf(error) };
  }
}

/** The rotation that is under way tells at which step it was; where even that cannot be read, the reason alone. */
async function alertHeldUp(
  secret: string,
  error: unknown,
  { log, tools }: { readonly log: Log; readonly tools: RotationTools },
): Promise<void> {
  const known = await tools.store.list(secret).catch(() => []);
  const held = known.findLast(isDeciding);
  const at = held ? { id: held.id, failedStep: held.failedStep ?? held.step } : {};
  alertFailed(log, { secret, reason: messageOf(error), ...at });
}

async function warnOverdue(
  secret: RotatedSecret,
  known: readonly StoredRotation[],
  { log, tools }: { readonly log: Log; readonly tools: RotationTools },
): Promise<void> {
  const now = tools.clock();
  const seen = await tools.vault.look(secret.name);
  const age = ageOf(seen, now);
  if (!isOverdue(secret, age.ageMs, seen.expiresAtMs, now)) return;
  const last = known.findLast(({ reason }) => reason !== undefined)?.reason;
  alertOverdue(log, secret, { ...age, expiresAtMs: seen.expiresAtMs, reason: last });
}

/** How old the version in use is; undefined where there is none. */
export function ageOf(
  { aliases, versions }: StoredSecret,
  nowMs: number,
): { readonly current: number | undefined; readonly ageMs: number | undefined } {
  const { current } = aliases;
  const version = versions.find(({ number }) => number === current);
  return { current, ageMs: version && nowMs - version.createdAtMs };
}
