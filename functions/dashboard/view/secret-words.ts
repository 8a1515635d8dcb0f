import type { RotationView, SecretView } from './view-model.ts';
import { sayAge, sayMoment } from './words.ts';

const resultWords: Readonly<Record<SecretView['result'], string>> = {
  none: 'Not rotated yet',
  rotating: 'Rotating',
  'held-up': 'Held up',
  rotated: 'Rotated',
  failed: 'Failed',
};

/** `Rotated`, `Overdue, failed`. */
export function sayState({ result, isOverdue }: SecretView): string {
  const words = resultWords[result];
  if (!isOverdue) return words;
  return `Overdue${result === 'rotated' ? '' : `, ${words.toLowerCase()}`}`;
}

/** `version 3 → 4, step retire, 21 Nov 06:28:29 UTC`; of one that failed, at which step. */
export function sayRotation({ fromVersion, toVersion, kind, step, failedStep, atMs }: RotationView): string {
  const moved =
    toVersion === null || step === 'failed' ? '' : `${fromVersion === null ? '' : `${fromVersion} → `}${toVersion}`;
  const versions = moved === '' ? '' : `version ${moved}, `;
  const isCleaning = failedStep !== null && step !== 'failed';
  const where =
    failedStep === null ? `step ${step}` : `failed at step ${failedStep}${isCleaning ? `, step ${step}` : ''}`;
  return `${kind === 'back' ? 'back, ' : ''}${versions}${where}, ${sayMoment(atMs)}`;
}

/** `41 m`, in its longest unit, so that a page does not change each second. */
export function sayAgeOf({ ageMs }: SecretView): string {
  return ageMs === null ? 'not known' : sayAge(ageMs);
}

/** `in 16 d`, `62 d late`. */
export function sayNext({ everyMs, ageMs }: SecretView): string {
  if (ageMs === null) return 'not known';
  const leftMs = everyMs - ageMs;
  return leftMs > 0 ? `in ${sayAge(leftMs)}` : `${sayAge(-leftMs)} late`;
}
