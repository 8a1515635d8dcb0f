import type { Meter } from '@opentelemetry/api';

/** What came of an attempt to rotate; `held-up` is tried again from the same step. */
export type RotationEnd = 'rotated' | 'failed' | 'held-up' | 'refused';

/** Figures of secrets that rotate, by name; never a value. */
export interface SecretMeter {
  /**
   * A secret was looked at.
   *
   * @param madeAtMs when the version in use was made, milliseconds since 1970; undefined where none is in use
   */
  looked(secret: { readonly name: string; readonly everyMs: number }, madeAtMs: number | undefined): void;
  ended(strategy: string, end: RotationEnd): void;
}

/** A process that has not looked for so long may not know which version is in use: it says nothing of it any more. */
const TOLD_FOR_MS = 15 * 60_000;

/** Makes the figures in OpenTelemetry's meter. */
export function secretMeter(meter: Meter, clock: () => number = Date.now): SecretMeter {
  const gauge = (name: string, description: string) =>
    meter.createObservableGauge(`penstock.secret.${name}`, { unit: 's', description });
  const age = gauge('age', 'Age of the version in use');
  const due = gauge('due', 'Time until the version in use is to be rotated; negative when it is overdue');
  const rotations = meter.createCounter('penstock.secret.rotations', {
    unit: '{rotation}',
    description: 'Attempts to rotate, by strategy and by what came of them',
  });
  const known = new Map<string, { madeAtMs: number; dueAtMs: number; lookedAtMs: number }>();
  meter.addBatchObservableCallback(
    (result) => {
      const nowMs = clock();
      for (const [secret, { madeAtMs, dueAtMs, lookedAtMs }] of known) {
        if (nowMs - lookedAtMs > TOLD_FOR_MS) continue;
        result.observe(age, (nowMs - madeAtMs) / 1_000, { secret });
        result.observe(due, (dueAtMs - nowMs) / 1_000, { secret });
      }
    },
    [age, due],
  );
  return {
    looked({ name, everyMs }, madeAtMs) {
      if (madeAtMs === undefined) known.delete(name);
      else known.set(name, { madeAtMs, dueAtMs: madeAtMs + everyMs, lookedAtMs: clock() });
    },
    ended: (strategy, result) => rotations.add(1, { strategy, result }),
  };
}
