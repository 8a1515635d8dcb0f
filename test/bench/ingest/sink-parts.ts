import { partsOf } from '../profile/parts-of.ts';

/** The part of the sink's way that a function belongs to. */
export const sinkPart = partsOf([
  ['shared/adapters/kafka/', 'kafka'],
  ['shared/model/events/straight/', 'straight rows'],
  ['shared/model/events/resolve/', 'resolve'],
  ['shared/model/', 'model'],
  ['shared/adapters/spanner/', 'spanner wire'],
  ['functions/kafka-sink/', 'kafka-sink'],
]);
