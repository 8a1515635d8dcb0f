import { isDeciding, type Rotation } from './rotation.ts';

const DAY_MS = 86_400_000;
/** A rotation that failed is begun again after so long. */
const RETRY_AFTER_MS = 15 * 60_000;

/** What is asked of a secret's declaration here. */
export interface Period {
  readonly everyMs: number;
}

/** How old the version in use is; both undefined where there is none. */
export interface Age {
  readonly current: number | undefined;
  readonly ageMs: number | undefined;
}

/**
 * The id of the rotation that is due now, the same for whoever asks until it has been tried; undefined when none is.
 *
 * @param known all rotations of the secret that are written, and when each was last written
 */
export function dueRotation(
  { everyMs }: Period,
  known: readonly (Rotation & { readonly updatedAtMs: number })[],
  { current, ageMs }: Age,
  nowMs: number,
): string | undefined {
  if (ageMs !== undefined && ageMs < everyMs) return undefined;
  if (known.some(isDeciding)) return undefined;
  const stem = `due-v${current ?? 0}`;
  const tried = known.filter(({ id }) => id === stem || id.startsWith(`${stem}-`));
  const lastMs = Math.max(0, ...tried.map(({ updatedAtMs }) => updatedAtMs));
  if (tried.length > 0 && nowMs - lastMs < RETRY_AFTER_MS) return undefined;
  return tried.length === 0 ? stem : `${stem}-${tried.length + 1}`;
}

/**
 * Whether somebody has to look: the version in use is older than its period and a tenth more, a day at most; or the secret
 * itself expires within that time.
 */
export function isOverdue(
  { everyMs }: Period,
  ageMs: number | undefined,
  expiresAtMs: number | undefined,
  nowMs: number,
): boolean {
  const graceMs = Math.min(everyMs / 10, DAY_MS);
  const expiresSoon = expiresAtMs !== undefined && expiresAtMs - nowMs < graceMs;
  return ageMs === undefined || ageMs > everyMs + graceMs || expiresSoon;
}
