import type { PartOf } from '../profile/profile-report.ts';

/** Where the parts of the sink's way are written; the first that fits. */
const folders: readonly (readonly [string, string])[] = [
  ['shared/adapters/kafka/', 'kafka'],
  ['shared/model/events/straight/', 'straight rows'],
  ['shared/model/events/resolve/', 'resolve'],
  ['shared/model/', 'model'],
  ['shared/adapters/spanner/', 'spanner wire'],
  ['functions/kafka-sink/', 'kafka-sink'],
  ['node:internal/modules/', 'start'],
  ['node:internal/bootstrap/', 'start'],
  ['node:', 'node'],
];

/** The part of the sink's way that a function belongs to. */
export const sinkPart: PartOf = ({ name, source }) => {
  if (name === '(garbage collector)') return 'gc';
  // Natives of V8 and of Node have no source.
  if (source === '') return 'native';
  return folders.find(([folder]) => source.startsWith(folder))?.[1] ?? 'other';
};
