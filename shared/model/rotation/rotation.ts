/**
 * A rotation of one secret, step by step. Each step but the last two has one effect outside, and a failure of any of them leads
 * to `clean-up`; what is written here is written before each effect and after it.
 *
 * ```
 *   begin ─▶ create ─▶ set ─▶ test ─▶ finish ─▶ retire ─(overlap)─▶ destroy ─(destroyAfter)─▶ closed
 *              │        │       │        │
 *              └────────┴───────┴────────┴─ refused ─▶ clean-up ─▶ failed
 * ```
 *
 * | step       | what it sees to                                                  | goes on when                                   |
 * |------------|------------------------------------------------------------------|------------------------------------------------|
 * | `create`   | a version of our own exists; going back: the old one is enabled   | it does, and its number is written here        |
 * | `set`      | `pending` names it; the target system takes it                    | the target has answered                        |
 * | `test`     | it works                                                          | it did                                         |
 * | `finish`   | no leftovers; `current` and `previous` are moved at once          | they stand so, and `pending` is gone           |
 * | `retire`   | the old one is taken from the target system and disabled          | it is, or it is `current` again                |
 * | `destroy`  | the old one's value is gone                                       | it is, or it is `current` again                |
 * | `clean-up` | ours is taken from the target and destroyed, `pending` is gone    | nothing of it is left                          |
 *
 * What is seen in Secret Manager always counts more than what is written here: a crash between an effect and its note is found
 * by looking (`next-effect.ts`).
 */
export type RotationStep = (typeof rotationSteps)[number];

export const rotationSteps = [
  'create',
  'set',
  'test',
  'finish',
  'retire',
  'destroy',
  'clean-up',
  'closed',
  'failed',
  'skipped',
] as const;

/** What is written of a rotation. */
export interface Rotation {
  /** As the declaration names it. */
  readonly secret: string;
  /** Whoever asks twice by one id gets one rotation. */
  readonly id: string;
  /** `back` makes the version before `current` again. */
  readonly kind: 'rotate' | 'back';
  readonly step: RotationStep;
  /** The step's effect was announced: it may have happened. */
  readonly isUnderWay: boolean;
  /** The newest version when it began: what is newer is ours. */
  readonly baseVersion: number;
  /** What `current` named when it began; undefined for a secret's first rotation. */
  readonly fromVersion: number | undefined;
  /** What `current` is to name. */
  readonly toVersion: number | undefined;
  readonly finishedAtMs: number | undefined;
  readonly retireAtMs: number | undefined;
  readonly destroyAtMs: number | undefined;
  /** Why it failed, was skipped, or waits. */
  readonly reason: string | undefined;
  /** The step at which it was refused, which `clean-up` and `failed` hide; undefined for one that was not. */
  readonly failedStep: RotationStep | undefined;
}

/** What came of an effect. */
export type RotationEvent =
  | { readonly kind: 'created'; readonly version: number }
  | { readonly kind: 'set' }
  | { readonly kind: 'tested' }
  | { readonly kind: 'finished' }
  | { readonly kind: 'retired' }
  | { readonly kind: 'destroyed' }
  /** It will not work, however often it is tried. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'cleaned' };

/** How long old versions live. */
export interface RotationTimes {
  readonly overlapMs: number;
  /** After the overlap. */
  readonly destroyAfterMs: number;
  /** How long, after the overlap, the old version waits for those who are seen with it. */
  readonly waitForUsersMs: number;
}

/** The same, whose old version waits neither for its overlap nor for its last users: the value may be in wrong hands. */
export function withoutWaiting(rotation: Rotation): Rotation {
  return { ...rotation, retireAtMs: (rotation.finishedAtMs ?? 0) - 1 };
}

/** Whether nobody is waited for: the overlap would have ended before it began. */
export function isWithoutWaiting({ finishedAtMs, retireAtMs }: Rotation): boolean {
  return finishedAtMs !== undefined && retireAtMs !== undefined && retireAtMs < finishedAtMs;
}

const MAX_REASON_CHARACTERS = 1_000;

/** Whether nothing is left to do, now or later. */
export function isOver({ step }: Pick<Rotation, 'step'>): boolean {
  return step === 'closed' || step === 'failed' || step === 'skipped';
}

/** Whether it has not decided yet which version is `current`. */
export function isDeciding({ step }: Pick<Rotation, 'step'>): boolean {
  return step === 'create' || step === 'set' || step === 'test' || step === 'finish' || step === 'clean-up';
}

/** Whether nothing is to be done before a time: an overlap, or the time until the old value goes. */
export function isWaiting({ step, retireAtMs = 0, destroyAtMs = 0 }: Rotation, nowMs: number): boolean {
  return (step === 'retire' && nowMs < retireAtMs) || (step === 'destroy' && nowMs < destroyAtMs);
}

/**
 * The rotation after an event. An event of another step changes nothing: it comes from somebody who was overtaken.
 */
export function advance(rotation: Rotation, event: RotationEvent, nowMs: number, times: RotationTimes): Rotation {
  const { step } = rotation;
  const to = (next: RotationStep, more: Partial<Rotation> = {}): Rotation => {
    return { ...rotation, step: next, isUnderWay: false, ...more };
  };
  switch (event.kind) {
    case 'created':
      return step === 'create' ? to('set', { toVersion: event.version }) : rotation;
    case 'set':
      return step === 'set' ? to('test') : rotation;
    case 'tested':
      return step === 'test' ? to('finish') : rotation;
    case 'finished': {
      if (step !== 'finish') return rotation;
      const retireAtMs = nowMs + times.overlapMs;
      const destroyAtMs = retireAtMs + times.destroyAfterMs;
      return to('retire', { finishedAtMs: nowMs, retireAtMs, destroyAtMs, reason: undefined });
    }
    case 'retired':
      return step === 'retire' ? to('destroy') : rotation;
    case 'destroyed':
      return step === 'destroy' ? to('closed') : rotation;
    case 'refused':
      if (!isDeciding(rotation) || step === 'clean-up') return rotation;
      return to('clean-up', { reason: event.reason.slice(0, MAX_REASON_CHARACTERS), failedStep: step });
    case 'cleaned':
      return step === 'clean-up' ? to('failed') : rotation;
  }
}
