import { isDeepStrictEqual } from 'node:util';
import type { Feed } from '../config/declaration.ts';
import { learnersOf } from './fit-transforms.ts';
import type { FittedTransform } from './fitted.ts';
import { TensorError } from './tensor-error.ts';

/**
 * Takes over what an earlier epoch learned, in place of fitting anew: the transforms that learn nothing are as declared today.
 *
 * @param types of the table's columns as Spanner spells them, by lower-case name
 * @throws {TensorError} when the earlier epoch has no such tensor, or made it otherwise than is declared today
 */
export function pinTransforms(
  feed: Feed,
  types: ReadonlyMap<string, string>,
  earlier: { readonly epoch: string; readonly transforms: readonly FittedTransform[] },
): FittedTransform[] {
  return learnersOf(feed, types).map((learner) => {
    const declared = learner.finish();
    if (!learner.isFitted) return declared;
    const { tensor, column } = declared;
    const pinned = earlier.transforms.find((candidate) => candidate.tensor === tensor);
    if (!pinned) {
      throw new TensorError(
        tensor,
        column,
        `epoch ${earlier.epoch} has no such tensor`,
        'Name another epoch, or fit anew',
      );
    }
    const takesMean = feed.transforms.some((of) => of.tensor === tensor && of.fillNull === 'mean');
    if (!isDeepStrictEqual(declaredPart(pinned, takesMean), declaredPart(declared, takesMean))) {
      const problem = `epoch ${earlier.epoch} made it otherwise than is declared now`;
      throw new TensorError(tensor, column, problem, 'Declare it as it was, or fit anew without fitFrom');
    }
    return pinned;
  });
}

/** A fitted transform without what it learned. */
function declaredPart(fitted: FittedTransform, takesMean: boolean): object {
  switch (fitted.kind) {
    case 'normalise': {
      const { offset: _offset, scale: _scale, count: _count, fillNull, ...rest } = fitted;
      return { ...rest, fillNull: takesMean && fillNull !== null ? 'mean' : fillNull };
    }
    case 'bucket':
      return { ...fitted, bounds: [] };
    case 'vocabulary':
      return { ...fitted, values: [] };
    case 'weight':
      return { ...fitted, classes: fitted.classes && { ...fitted.classes, weights: [] } };
    default:
      return fitted;
  }
}
