import { partsOf } from '../profile/parts-of.ts';

/** The part of a batch's way that a function belongs to. */
export const feedPart = partsOf([
  ['shared/adapters/spanner/', 'reader'],
  ['shared/adapters/trainer/', 'trainer client'],
  ['shared/model/tensors/', 'tensors'],
  ['shared/model/epochs/', 'epochs'],
  ['functions/read-shard/', 'read-shard'],
]);
