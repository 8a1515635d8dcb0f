import type { SecretView } from './next-effect.ts';
import { isDeciding, isOver, type Rotation, withoutWaiting } from './rotation.ts';

/** Who wants a rotation, and of which kind. */
export interface RotationRequest {
  readonly secret: string;
  readonly id: string;
  readonly kind: 'rotate' | 'back';
  /** Does not wait for overlaps: the value may be in wrong hands. */
  readonly now: boolean;
}

/** What comes of a request. */
export type Begun =
  /** A new one is to be written. */
  | { readonly outcome: 'begun'; readonly rotation: Rotation; readonly changed: readonly Rotation[] }
  /** The request's own one, as it stands, or the one that is under way: it is gone on with. */
  | { readonly outcome: 'known'; readonly rotation: Rotation; readonly changed: readonly Rotation[] }
  /** Nothing begins; `rotation` says why, and answers late duplicates of the request. */
  | { readonly outcome: 'skipped'; readonly rotation: Rotation; readonly changed: readonly Rotation[] }
  /** An earlier one has to take its old version away first. */
  | { readonly outcome: 'retire-first'; readonly rotation: Rotation; readonly changed: readonly Rotation[] };

/**
 * Of the requests that were skipped since the newest version, so many are written. Whoever asks again and again would fill the table, and
 * each request reads all of a secret's.
 */
const MAX_SKIPPED = 20;

/**
 * Decides what comes of a request for a rotation.
 *
 * One rotation of a secret at a time: the two users that alternate are two, and overwriting the older one while somebody still
 * logs in as it would break what worked. So a request within the overlap of the last one is skipped.
 *
 * @param known all rotations of the secret that are written
 */
export function beginRotation(
  request: RotationRequest,
  known: readonly Rotation[],
  secret: SecretView,
  nowMs: number,
): Begun {
  const own = known.find(({ id }) => id === request.id);
  if (own) return { outcome: 'known', rotation: own, changed: [] };
  const deciding = known.find(isDeciding);
  if (deciding) {
    const { changed } = skipped(request, `${deciding.id} was under way`, known, secret);
    return { outcome: 'known', rotation: deciding, changed };
  }
  const back = request.kind === 'back' ? goBack(request, known, secret) : undefined;
  if (back) return back;
  const unretired = known.find(({ step }) => step === 'retire');
  if (unretired) {
    const { id, retireAtMs = nowMs } = unretired;
    if (nowMs < retireAtMs && !request.now) {
      const reason = `the overlap of ${id} lasts until ${new Date(retireAtMs).toISOString()}`;
      return skipped(request, reason, known, secret);
    }
    const rotation = request.now ? withoutWaiting(unretired) : unretired;
    return { outcome: 'retire-first', rotation, changed: [] };
  }
  return { outcome: 'begun', rotation: newRotation(request, secret, undefined), changed: [] };
}

function goBack(request: RotationRequest, known: readonly Rotation[], secret: SecretView): Begun {
  const { previous, current } = secret.aliases;
  const state = secret.versions.find(({ number }) => number === previous)?.state;
  if (previous === undefined || previous === current || state === undefined || state === 'destroyed') {
    return skipped(request, 'there is no previous version that lives', known, secret);
  }
  // They would take away what is made current again.
  const reason = `rolled back by ${request.id}`;
  const changed = known
    .filter((rotation) => !isOver(rotation) && rotation.fromVersion === previous)
    .map((rotation): Rotation => ({ ...rotation, step: 'closed', isUnderWay: false, reason }));
  return { outcome: 'begun', rotation: newRotation(request, secret, previous), changed };
}

function newRotation(request: RotationRequest, secret: SecretView, toVersion: number | undefined): Rotation {
  return {
    secret: request.secret,
    id: request.id,
    kind: request.kind,
    step: 'create',
    isUnderWay: false,
    baseVersion: newestOf(secret),
    fromVersion: secret.aliases.current,
    toVersion,
    finishedAtMs: undefined,
    retireAtMs: undefined,
    destroyAtMs: undefined,
    reason: undefined,
    failedStep: undefined,
  };
}

function newestOf({ versions }: SecretView): number {
  return Math.max(0, ...versions.map(({ number }) => number));
}

/** Nothing begins, and a late duplicate of the request will be told the same. */
function skipped(
  { secret, id, kind }: RotationRequest,
  reason: string,
  known: readonly Rotation[],
  view: SecretView,
): Extract<Begun, { outcome: 'skipped' }> {
  const never = { finishedAtMs: undefined, retireAtMs: undefined, destroyAtMs: undefined, failedStep: undefined };
  const versions = { baseVersion: newestOf(view), fromVersion: undefined, toVersion: undefined };
  const rotation: Rotation = { secret, id, kind, step: 'skipped', isUnderWay: false, ...versions, ...never, reason };
  const before = known.filter(({ step, baseVersion }) => step === 'skipped' && baseVersion === rotation.baseVersion);
  return { outcome: 'skipped', rotation, changed: before.length < MAX_SKIPPED ? [rotation] : [] };
}
