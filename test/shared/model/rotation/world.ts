import { beginRotation, type RotationRequest } from '../../../../shared/model/rotation/begin-rotation.ts';
import {
  nextEffect,
  type RotationEffect,
  type SecretView,
  type VersionView,
} from '../../../../shared/model/rotation/next-effect.ts';
import { advance, isOver, type Rotation, type RotationEvent } from '../../../../shared/model/rotation/rotation.ts';

export const times = { overlapMs: 100, destroyAfterMs: 1_000, waitForUsersMs: 0 };
const LEASE_MS = 20;

interface Row {
  rotation: Rotation;
  fence: number;
  owner: number | undefined;
  expiresAtMs: number;
}

/**
 * Secret Manager, a target system of two users that alternate, and the table of rotations, as much of them as rotations see.
 * Every call is one moment.
 */
export class World {
  nowMs = 1_000;
  readonly versions: { number: number; state: VersionView['state']; user: string }[] = [
    { number: 1, state: 'enabled', user: 'a' },
  ];
  aliases: Record<string, number> = { current: 1 };
  private etag = 0;
  /** Which version's password each user has in the target. */
  readonly target = new Map<string, number>([['a', 1]]);
  readonly rows = new Map<string, Row>();
  /** Versions that will not work, however often they are set. */
  readonly broken = new Set<number>();
  breakNext = false;

  view(): SecretView {
    const versions = this.versions.map(({ number, state }) => ({ number, state }));
    return { etag: String(this.etag), aliases: { ...this.aliases }, versions };
  }

  rotations(): Rotation[] {
    return [...this.rows.values()].map(({ rotation }) => rotation);
  }

  begin(request: RotationRequest): Rotation {
    const begun = beginRotation(request, this.rotations(), this.view(), this.nowMs);
    for (const rotation of begun.changed) {
      const before = this.rows.get(rotation.id);
      this.rows.set(rotation.id, { ...newRow(rotation), fence: (before?.fence ?? 0) + 1 });
    }
    if (begun.outcome === 'begun') this.rows.set(begun.rotation.id, newRow(begun.rotation));
    return begun.rotation;
  }

  /** @returns undefined when another one has the lease */
  take(id: string, owner: number): { rotation: Rotation; fence: number } | undefined {
    const row = this.rows.get(id);
    if (!row || (row.owner !== undefined && row.owner !== owner && row.expiresAtMs > this.nowMs)) return undefined;
    row.fence += 1;
    row.owner = owner;
    row.expiresAtMs = this.nowMs + LEASE_MS;
    return { rotation: row.rotation, fence: row.fence };
  }

  /** @returns false when the fence was overtaken */
  save(rotation: Rotation, fence: number): boolean {
    const row = this.rows.get(rotation.id);
    if (!row || row.fence !== fence) return false;
    row.rotation = rotation;
    row.expiresAtMs = this.nowMs + LEASE_MS;
    return true;
  }

  release(id: string, fence: number): void {
    const row = this.rows.get(id);
    if (row?.fence === fence) row.owner = undefined;
  }

  perform(effect: RotationEffect): RotationEvent | undefined {
    switch (effect.kind) {
      case 'add-version': {
        const inUse = this.versionOf(this.aliases.current)?.user;
        const number = this.versions.length + 1;
        this.versions.push({ number, state: 'enabled', user: inUse === 'a' ? 'b' : 'a' });
        if (this.breakNext) this.broken.add(number);
        this.breakNext = false;
        return { kind: 'created', version: number };
      }
      case 'alias':
        if (effect.etag === String(this.etag)) {
          this.aliases = { ...effect.aliases };
          this.etag += 1;
        }
        return undefined;
      case 'set': {
        const version = this.versionOf(effect.version);
        if (version) this.target.set(version.user, version.number);
        return { kind: 'set' };
      }
      case 'test': {
        const works = this.works(effect.version) && !this.broken.has(effect.version);
        return works ? { kind: 'tested' } : { kind: 'refused', reason: 'it does not work' };
      }
      case 'revoke': {
        const version = this.versionOf(effect.version);
        const keep = this.versionOf(effect.keep);
        if (version && version.user !== keep?.user) this.target.delete(version.user);
        this.end(effect.version, effect.ending);
        return undefined;
      }
      case 'end-version':
        this.end(effect.version, effect.ending);
        return undefined;
      case 'enable': {
        const version = this.versionOf(effect.version);
        if (version?.state === 'disabled') version.state = 'enabled';
        return undefined;
      }
      default:
        return undefined;
    }
  }

  moveByHand(aliases: Readonly<Record<string, number>>): void {
    this.aliases = { ...aliases };
    this.etag += 1;
  }

  works(version: number | undefined): boolean {
    const found = this.versionOf(version);
    return found?.state === 'enabled' && this.target.get(found.user) === found.number;
  }

  versionOf(number: number | undefined) {
    return this.versions.find((version) => version.number === number);
  }

  private end(number: number, ending: 'disable' | 'destroy'): void {
    const version = this.versionOf(number);
    if (!version || version.state === 'destroyed') return;
    version.state = ending === 'destroy' ? 'destroyed' : 'disabled';
  }
}

function newRow(rotation: Rotation): Row {
  return { rotation, fence: 0, owner: undefined, expiresAtMs: 0 };
}

/**
 * A rotator, cut at every point where another one may come between or a crash may fall: before a note, between a note and its
 * effect, between an effect and its note.
 */
export function* rotator(world: World, owner: number, request: RotationRequest): Generator<string, void, void> {
  const begun = world.begin(request);
  yield 'begun';
  if (isOver(begun)) return;
  const lease = world.take(begun.id, owner);
  yield 'taken';
  if (!lease) return;
  let { rotation } = lease;
  if (rotation.step === 'retire' && begun.retireAtMs !== undefined) {
    rotation = { ...rotation, retireAtMs: begun.retireAtMs };
    if (!world.save(rotation, lease.fence)) return;
    yield 'noted';
  }
  for (;;) {
    const seen = world.view();
    yield 'seen';
    const effect = nextEffect(rotation, seen, world.nowMs);
    if (effect.kind === 'nothing' || effect.kind === 'wait') break;
    if (effect.kind === 'note') {
      rotation = advance(rotation, effect.event, world.nowMs, times);
      if (!world.save(rotation, lease.fence)) return;
      yield 'noted';
      continue;
    }
    if (!world.save({ ...rotation, isUnderWay: true }, lease.fence)) return;
    // The window between the note and its effect is one call: nobody else gets two rotations done in it.
    const event = world.perform(effect);
    yield `did ${effect.kind}`;
    rotation = event ? advance(rotation, event, world.nowMs, times) : { ...rotation, isUnderWay: false };
    if (!world.save(rotation, lease.fence)) return;
    yield 'noted';
  }
  world.release(rotation.id, lease.fence);
}
