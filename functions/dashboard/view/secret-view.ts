import { type RotationResult, standingOfSecret } from '../../../shared/model/rotation/secret-standing.ts';
import type { Sources } from '../sources/sources.ts';
import type { Health, SecretView } from './view-model.ts';
import { cutText } from './words.ts';

/** Holders that are named; the others are counted. */
const MAX_HOLDERS = 20;

/** Every declared secret, worst first. Names and reasons come from elsewhere: shown as text, and cut. */
export function viewSecrets({ declaration, secrets, asOfMs }: Sources): SecretView[] {
  return Object.values(declaration.secrets)
    .map(({ name, strategy, everyMs }): SecretView => {
      const { rotations, users } = secrets.get(name) ?? { rotations: [], users: [] };
      const { last, result, stillOld, ...standing } = standingOfSecret({ everyMs }, rotations, users, asOfMs);
      return {
        name,
        strategy: strategy.kind,
        health: healthOf(result, standing.isOverdue),
        current: standing.current ?? null,
        ageMs: standing.madeAtMs === undefined ? null : asOfMs - standing.madeAtMs,
        everyMs,
        nextAtMs: standing.nextAtMs ?? null,
        isOverdue: standing.isOverdue,
        result,
        last: last
          ? {
              id: cutText(last.id),
              kind: last.kind,
              step: last.step,
              fromVersion: last.fromVersion ?? null,
              toVersion: last.toVersion ?? null,
              atMs: last.finishedAtMs ?? last.updatedAtMs,
              reason: last.reason === undefined ? null : cutText(last.reason),
            }
          : null,
        stillOldCount: stillOld.length,
        stillOld: stillOld.slice(0, MAX_HOLDERS).map((user) => ({ ...user, holder: cutText(user.holder) })),
      };
    })
    .sort((a, b) => rank[a.health] - rank[b.health] || (a.nextAtMs ?? Infinity) - (b.nextAtMs ?? Infinity) || 0);
}

const rank: Readonly<Record<Health, number>> = { bad: 0, warn: 1, unknown: 2, ok: 3, idle: 4 };

function healthOf(result: RotationResult, isOverdue: boolean): Health {
  if (result === 'failed' || isOverdue) return 'bad';
  if (result === 'held-up') return 'warn';
  return result === 'none' ? 'idle' : 'ok';
}
