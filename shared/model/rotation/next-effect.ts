import type { Rotation, RotationEvent } from './rotation.ts';

/** A secret as Secret Manager shows it; no value. */
export interface SecretView {
  readonly etag: string;
  /** Version numbers by alias. */
  readonly aliases: Readonly<Record<string, number>>;
  readonly versions: readonly VersionView[];
}

export interface VersionView {
  readonly number: number;
  readonly state: 'enabled' | 'disabled' | 'destroyed';
}

/** The one thing to do next for a rotation. Each may be repeated: it then finds its work done. */
export type RotationEffect =
  /** Makes a value and adds it as a version. */
  | { readonly kind: 'add-version' }
  | { readonly kind: 'enable'; readonly version: number }
  /** Replaces all aliases, under the etag that was seen. */
  | { readonly kind: 'alias'; readonly aliases: Readonly<Record<string, number>>; readonly etag: string }
  /** Makes the target system take this version's value beside that of `beside`. */
  | { readonly kind: 'set'; readonly version: number; readonly beside: number | undefined }
  | { readonly kind: 'test'; readonly version: number }
  /** Takes this version's value from the target system, which keeps that of `keep`; then disables or destroys the version. */
  | { readonly kind: 'revoke'; readonly version: number; readonly keep: number | undefined; readonly ending: Ending }
  /** Takes nothing from a target system: it never got there, or is there no more. */
  | { readonly kind: 'end-version'; readonly version: number; readonly ending: Ending }
  /** Nothing is left to do in this step. */
  | { readonly kind: 'note'; readonly event: RotationEvent }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'nothing' };

type Ending = 'disable' | 'destroy';

/**
 * Decides what a rotation needs next, from what is written of it and what Secret Manager shows now.
 *
 * @param secret read after the rotation: what happened in between shows
 */
export function nextEffect(rotation: Rotation, secret: SecretView, nowMs: number): RotationEffect {
  switch (rotation.step) {
    case 'create':
      return createVersion(rotation, secret);
    case 'set':
      return setVersion(rotation, secret);
    case 'test':
      return testVersion(rotation, secret);
    case 'finish':
      return finish(rotation, secret);
    case 'retire':
      return retire(rotation, secret, nowMs);
    case 'destroy':
      return destroy(rotation, secret, nowMs);
    case 'clean-up':
      return cleanUp(rotation, secret);
    default:
      return { kind: 'nothing' };
  }
}

function createVersion(rotation: Rotation, secret: SecretView): RotationEffect {
  const lost = lostRace(rotation, secret);
  if (lost) return lost;
  const { toVersion } = rotation;
  if (rotation.kind === 'back' && toVersion !== undefined) {
    const state = stateOf(secret, toVersion);
    if (state === 'destroyed') return refuse(`version ${toVersion} was destroyed: there is nothing to go back to`);
    if (state === 'disabled') return { kind: 'enable', version: toVersion };
    return { kind: 'note', event: { kind: 'created', version: toVersion } };
  }
  // Somebody began and never ended: left there, it would stand in the way for ever.
  const left = secret.aliases.pending;
  if (left !== undefined && left <= rotation.baseVersion) {
    const isEnabled = stateOf(secret, left) === 'enabled' && !isNamed(secret, left);
    if (isEnabled) return { kind: 'end-version', version: left, ending: 'destroy' };
    return { kind: 'alias', aliases: withoutPending(secret.aliases), etag: secret.etag };
  }
  const [ours] = leftovers(rotation, secret);
  if (ours === undefined) return { kind: 'add-version' };
  return { kind: 'note', event: { kind: 'created', version: ours } };
}

function setVersion(rotation: Rotation, secret: SecretView): RotationEffect {
  const { toVersion, fromVersion } = rotation;
  const lost = lostRace(rotation, secret) ?? missing(rotation, secret);
  if (lost || toVersion === undefined) return lost ?? refuse('it has no version');
  if (secret.aliases.pending !== toVersion) {
    return { kind: 'alias', aliases: { ...secret.aliases, pending: toVersion }, etag: secret.etag };
  }
  return { kind: 'set', version: toVersion, beside: fromVersion };
}

function testVersion(rotation: Rotation, secret: SecretView): RotationEffect {
  const { toVersion } = rotation;
  const lost = lostRace(rotation, secret) ?? missing(rotation, secret);
  if (lost || toVersion === undefined) return lost ?? refuse('it has no version');
  return { kind: 'test', version: toVersion };
}

function finish(rotation: Rotation, secret: SecretView): RotationEffect {
  const { toVersion, fromVersion } = rotation;
  if (toVersion === undefined) return refuse('it has no version');
  const { current, pending } = secret.aliases;
  if (current === toVersion) {
    const [left] = leftovers(rotation, secret);
    if (left !== undefined) return { kind: 'end-version', version: left, ending: 'destroy' };
    if (pending === undefined) return { kind: 'note', event: { kind: 'finished' } };
    return { kind: 'alias', aliases: withoutPending(secret.aliases), etag: secret.etag };
  }
  const lost = lostRace(rotation, secret) ?? missing(rotation, secret);
  if (lost) return lost;
  const previous = fromVersion === undefined ? {} : { previous: fromVersion };
  const aliases = { ...withoutPending(secret.aliases), current: toVersion, ...previous };
  return { kind: 'alias', aliases, etag: secret.etag };
}

function retire(rotation: Rotation, secret: SecretView, nowMs: number): RotationEffect {
  const { fromVersion, retireAtMs = nowMs } = rotation;
  if (nowMs < retireAtMs) return { kind: 'wait', untilMs: retireAtMs };
  const { current } = secret.aliases;
  const isDone = fromVersion === undefined || fromVersion === current || stateOf(secret, fromVersion) !== 'enabled';
  if (isDone) return { kind: 'note', event: { kind: 'retired' } };
  return { kind: 'revoke', version: fromVersion, keep: current, ending: 'disable' };
}

function destroy(rotation: Rotation, secret: SecretView, nowMs: number): RotationEffect {
  const { fromVersion, destroyAtMs = nowMs } = rotation;
  if (nowMs < destroyAtMs) return { kind: 'wait', untilMs: destroyAtMs };
  const { current, pending } = secret.aliases;
  // Enabled again: somebody went back to it.
  const isDone =
    fromVersion === undefined ||
    fromVersion === current ||
    fromVersion === pending ||
    stateOf(secret, fromVersion) !== 'disabled';
  if (isDone) return { kind: 'note', event: { kind: 'destroyed' } };
  return { kind: 'end-version', version: fromVersion, ending: 'destroy' };
}

function cleanUp(rotation: Rotation, secret: SecretView): RotationEffect {
  const { toVersion, kind } = rotation;
  const { current, pending } = secret.aliases;
  const ending = kind === 'back' ? 'disable' : 'destroy';
  if (toVersion !== undefined && toVersion !== current && stateOf(secret, toVersion) === 'enabled') {
    return { kind: 'revoke', version: toVersion, keep: current, ending };
  }
  const [left] = leftovers(rotation, secret);
  if (left !== undefined) return { kind: 'end-version', version: left, ending: 'destroy' };
  if (pending !== undefined && pending === toVersion) {
    return { kind: 'alias', aliases: withoutPending(secret.aliases), etag: secret.etag };
  }
  return { kind: 'note', event: { kind: 'cleaned' } };
}

/** Versions that we added and that lead nowhere: each of two that added one at once, and what a crash left. */
function leftovers({ baseVersion, toVersion }: Rotation, secret: SecretView): number[] {
  return secret.versions
    .filter(({ number, state }) => number > baseVersion && state === 'enabled' && number !== toVersion)
    .map(({ number }) => number)
    .filter((number) => !isNamed(secret, number))
    .sort((a, b) => a - b);
}

function isNamed({ aliases }: SecretView, version: number): boolean {
  return Object.entries(aliases).some(([alias, number]) => alias !== 'pending' && number === version);
}

/** Somebody else moved `current`: what they chose stands. */
function lostRace({ fromVersion }: Rotation, { aliases: { current } }: SecretView): RotationEffect | undefined {
  if (current === fromVersion) return undefined;
  return refuse(`alias current was moved from version ${fromVersion ?? 'none'} to ${current ?? 'none'} by another`);
}

function missing({ toVersion }: Rotation, secret: SecretView): RotationEffect | undefined {
  if (toVersion === undefined || stateOf(secret, toVersion) === 'enabled') return undefined;
  return refuse(`version ${toVersion} was disabled or destroyed by another`);
}

function stateOf({ versions }: SecretView, version: number): VersionView['state'] {
  return versions.find(({ number }) => number === version)?.state ?? 'destroyed';
}

function withoutPending({ pending: _, ...others }: Readonly<Record<string, number>>): Record<string, number> {
  return others;
}

function refuse(reason: string): RotationEffect {
  return { kind: 'note', event: { kind: 'refused', reason } };
}
