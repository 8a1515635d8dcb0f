import {
  type RotationRecord,
  type RotationResult,
  standingOfSecret,
} from '../../../shared/model/rotation/secret-standing.ts';
import type { Sources } from '../sources/sources.ts';
import type { Health, RotationView, SecretView } from './view-model.ts';
import { cutText, quoteForShell } from './words.ts';

/** Holders that are named; the others are counted. */
const MAX_HOLDERS = 20;

/** Every declared secret, worst first. Names and reasons come from elsewhere: shown as text, and cut. */
export function viewSecrets({
  declaration,
  secrets,
  asOfMs,
}: Pick<Sources, 'declaration' | 'secrets' | 'asOfMs'>): SecretView[] {
  return Object.values(declaration.secrets)
    .map(({ name, strategy, everyMs }): SecretView => {
      const { rotations, users } = secrets.get(name) ?? { rotations: [], users: [] };
      const standing = standingOfSecret({ everyMs }, rotations, users, asOfMs);
      const { result, previous, isOverdue, last, lastFailed, stillOld } = standing;
      const health = healthOf(result, isOverdue);
      return {
        name,
        strategy: strategy.kind,
        health,
        current: standing.current ?? null,
        previous: previous ? { ...previous, untilMs: previous.untilMs ?? null } : null,
        ageMs: standing.madeAtMs === undefined ? null : asOfMs - standing.madeAtMs,
        everyMs,
        nextAtMs: standing.nextAtMs ?? null,
        isOverdue,
        result,
        last: last ? viewRotation(last) : null,
        lastFailed: lastFailed ? viewRotation(lastFailed) : null,
        command: health === 'bad' || health === 'warn' ? `npx penstock rotate ${quoteForShell(name)}` : null,
        stillOldCount: stillOld.length,
        stillOld: stillOld.slice(0, MAX_HOLDERS).map((user) => ({ ...user, holder: cutText(user.holder) })),
      };
    })
    .sort((a, b) => rank[a.health] - rank[b.health] || (a.nextAtMs ?? Infinity) - (b.nextAtMs ?? Infinity) || 0);
}

function viewRotation(rotation: RotationRecord): RotationView {
  const { id, kind, step, failedStep, fromVersion, toVersion, finishedAtMs, updatedAtMs, reason } = rotation;
  return {
    id: cutText(id),
    kind,
    step,
    failedStep: failedStep ?? null,
    fromVersion: fromVersion ?? null,
    toVersion: toVersion ?? null,
    atMs: finishedAtMs ?? updatedAtMs,
    reason: reason === undefined ? null : cutText(reason),
  };
}

const rank: Readonly<Record<Health, number>> = { bad: 0, warn: 1, unknown: 2, ok: 3, idle: 4 };

function healthOf(result: RotationResult, isOverdue: boolean): Health {
  if (result === 'failed' || isOverdue) return 'bad';
  if (result === 'held-up') return 'warn';
  return result === 'none' ? 'idle' : 'ok';
}
