import { SecretChangedError, type SecretVault } from '../../shared/adapters/secrets/secret-vault.ts';
import {
  type RotationLease,
  RotationLostError,
  type RotationStore,
} from '../../shared/adapters/spanner/rotations/rotation-store.ts';
import type { Clock } from '../../shared/base/clock.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import { type LastUsers, lastUsers, type SecretUser } from '../../shared/model/rotation/last-users.ts';
import { nextEffect, type RotationEffect } from '../../shared/model/rotation/next-effect.ts';
import {
  advance,
  isDeciding,
  type Rotation,
  type RotationEvent,
  type RotationTimes,
} from '../../shared/model/rotation/rotation.ts';
import { type Strategy, StrategyRefusedError } from './strategies/strategy.ts';

/** A rotation takes about ten effects; more means that two processes undo each other's. */
const MAX_EFFECTS = 100;

/** Is told before and after each effect: for audit and progress. */
export type OnEffect = (told: {
  readonly rotation: Rotation;
  readonly effect: RotationEffect['kind'];
  readonly phase: 'before' | 'after' | 'failed';
  readonly error?: unknown;
  /** From whom the old version is taken although they were seen with it. */
  readonly despite?: readonly string[];
}) => void;

/** What a rotation acts with. */
export interface RotationTools {
  readonly store: RotationStore;
  readonly vault: SecretVault;
  readonly strategy: Strategy;
  readonly times: RotationTimes;
  readonly clock: Clock;
  readonly onEffect: OnEffect;
  /** Who is seen with the secret; the old version waits for those who go by it. */
  readonly usersOf: (secret: string) => Promise<readonly SecretUser[]>;
  /** Is told of each rotation once that it has moved `current` or failed for good, and of each attempt that is held up. */
  readonly onEnd?: (end: 'rotated' | 'failed' | 'held-up') => void;
}

/**
 * Takes a rotation as far as it goes now: to its end, to where it waits for an overlap, or to what fails and may succeed later.
 *
 * Any number may run at once, die anywhere and come again: the lease lets one act at a time, the fence stops the one that was
 * overtaken, the secret's etag decides where both have failed.
 *
 * @param from a rotation that is written; its `retireAtMs` counts, not the written one
 * @returns where it stands
 * @throws {RotationLeasedError} another one is at it
 * @throws whatever failed and may succeed later; its reason is written
 */
export async function runRotation(from: Rotation, tools: RotationTools): Promise<Rotation> {
  let lease = await tools.store.take(from.secret, from.id);
  const { retireAtMs } = from;
  const wasDeciding = isDeciding(lease.rotation);
  if (retireAtMs !== undefined && lease.rotation.step === 'retire') {
    lease = await tools.store.save(lease, { ...lease.rotation, retireAtMs });
  }
  try {
    for (let count = 0; count < MAX_EFFECTS; count++) {
      const effect = nextEffect(lease.rotation, await tools.vault.look(from.secret), tools.clock());
      if (effect.kind === 'nothing' || effect.kind === 'wait') return lease.rotation;
      if (effect.kind === 'revoke' && lease.rotation.step === 'retire') {
        const users = await whetherUsed(lease.rotation, tools);
        if (users.may === 'wait') {
          lease = await tools.store.save(lease, { ...lease.rotation, reason: users.reason });
          return lease.rotation;
        }
        lease = await doEffect(lease, effect, tools, users);
      } else {
        lease = await doEffect(lease, effect, tools);
      }
    }
    throw new Error(`Rotation ${from.id} of ${from.secret} did not come to an end in ${MAX_EFFECTS} effects`);
  } catch (error) {
    lease = await noteFailure(lease, error, tools);
    throw error;
  } finally {
    const { step } = lease.rotation;
    if (wasDeciding && !isDeciding({ step })) tools.onEnd?.(step === 'failed' ? 'failed' : 'rotated');
    await tools.store.release(lease);
  }
}

async function whetherUsed(rotation: Rotation, { usersOf, times, clock }: RotationTools): Promise<LastUsers> {
  return lastUsers(rotation, await usersOf(rotation.secret), { times, nowMs: clock() });
}

/** @param users what was decided of those who are seen with a version that is taken away */
async function doEffect(
  lease: RotationLease,
  effect: Exclude<RotationEffect, { kind: 'nothing' | 'wait' }>,
  tools: RotationTools,
  users: Exclude<LastUsers, { may: 'wait' }> = { may: 'go' },
): Promise<RotationLease> {
  const { rotation } = lease;
  if (effect.kind === 'note') return await note(lease, effect.event, tools);
  const [reason, about] = users.may === 'go-despite' ? [users.reason, { despite: users.holders }] : [undefined, {}];
  const isRetiring = effect.kind === 'revoke' && rotation.step === 'retire';
  // What it waited for, or failed with, is over; from whom it was taken stays.
  const announced = await tools.store.save(lease, { ...rotation, isUnderWay: true, ...(isRetiring ? { reason } : {}) });
  tools.onEffect({ rotation, effect: effect.kind, phase: 'before', ...about });
  const event = await perform(rotation.secret, effect, tools).catch((error: unknown): RotationEvent | undefined => {
    if (error instanceof StrategyRefusedError) return { kind: 'refused', reason: error.message };
    // It is looked at again.
    if (error instanceof SecretChangedError) return undefined;
    tools.onEffect({ rotation, effect: effect.kind, phase: 'failed', error });
    throw error;
  });
  tools.onEffect({ rotation, effect: effect.kind, phase: 'after', ...about });
  if (event) return await note(announced, event, tools);
  return await tools.store.save(announced, { ...announced.rotation, isUnderWay: false });
}

async function note(lease: RotationLease, event: RotationEvent, tools: RotationTools): Promise<RotationLease> {
  return await tools.store.save(lease, advance(lease.rotation, event, tools.clock(), tools.times));
}

/** @returns what came of it; undefined where looking again tells */
async function perform(
  secret: string,
  effect: Exclude<RotationEffect, { kind: 'nothing' | 'wait' | 'note' }>,
  { vault, strategy }: RotationTools,
): Promise<RotationEvent | undefined> {
  switch (effect.kind) {
    case 'add-version':
      return await withValues(vault, secret, [(await vault.look(secret)).aliases.current], async ([current]) => {
        const value = await strategy.create(current);
        const version = await vault.add(secret, value).finally(() => value.fill(0));
        return { kind: 'created', version };
      });
    case 'enable':
      await vault.change(secret, effect.version, 'enable');
      return undefined;
    case 'alias':
      await vault.alias(secret, effect.aliases, effect.etag);
      return undefined;
    case 'set':
      return await withValues(vault, secret, [effect.version, effect.beside], async ([value, beside]) => {
        await strategy.set(have(value, effect.version), beside);
        return { kind: 'set' };
      });
    case 'test':
      return await withValues(vault, secret, [effect.version], async ([value]) => {
        await strategy.test(have(value, effect.version));
        return { kind: 'tested' };
      });
    case 'revoke':
      await withValues(vault, secret, [effect.version, effect.keep], async ([value, keep]) => {
        await strategy.revoke(have(value, effect.version), keep, effect.ending);
      });
      await vault.change(secret, effect.version, effect.ending);
      return undefined;
    case 'end-version':
      await vault.change(secret, effect.version, effect.ending);
      return undefined;
  }
}

/** Lends the values of some versions, and zeroes them. */
async function withValues<T>(
  vault: SecretVault,
  secret: string,
  versions: readonly (number | undefined)[],
  use: (values: readonly (Buffer | undefined)[]) => Promise<T>,
): Promise<T> {
  const values: (Buffer | undefined)[] = [];
  try {
    for (const version of versions) {
      values.push(version === undefined ? undefined : await vault.read(secret, version));
    }
    return await use(values);
  } finally {
    for (const value of values) value?.fill(0);
  }
}

function have(value: Buffer | undefined, version: number): Buffer {
  if (value) return value;
  throw new RangeError(`Version ${version} has no value`);
}

/** What may succeed later is written for people, and tried again by whoever comes next. */
async function noteFailure(lease: RotationLease, error: unknown, { store }: RotationTools): Promise<RotationLease> {
  if (error instanceof RotationLostError) return lease;
  // Why it was refused stays; what keeps its clean-up stands in the audit and in the alarm.
  if (lease.rotation.step === 'clean-up') return lease;
  const reason = `${messageOf(error)}${error instanceof PenstockError ? `. ${error.remedy}` : ''}`.slice(0, 1_000);
  // The failure itself is what counts; a database that is down is a second one.
  return await store.save(lease, { ...lease.rotation, reason }).catch(() => lease);
}
