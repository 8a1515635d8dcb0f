import type { Feed } from '../config/declaration.ts';
import type { Transform } from '../config/transform.ts';
import type { ColumnBlock } from './column-vector.ts';
import { countOfPart, firstOfPart } from './date-part.ts';
import type { ClassWeights, FittedBalance, FittedSplit, FittedTransform, HashedType, ItemType } from './fitted.ts';
import { balanceParts, splitParts } from './fitted.ts';
import { fixed, type Learner } from './fixed-learner.ts';
import { bucketLearner, classLearner, normaliseLearner, vocabularyLearner } from './learners.ts';
import { TensorError } from './tensor-error.ts';

/** Learns from all rows at the read timestamp, block by block, in any order. */
export interface TransformFit {
  /** Takes further rows. */
  add(block: ColumnBlock): void;
  /** What was learned so far, as plain JSON: for another process, which takes it up by `merge`. */
  state(): FitState;
  /** Takes what another fit of the same feed learned from other rows: as if this one had been given them. */
  merge(state: FitState): void;
  /**
   * @returns one for each transform, in the feed's order, one for the label and one for the weights: a function of the rows alone,
   *   to the last bit, in whatever order and parts they came
   * @throws {TensorError} when a column holds NULL that no `fillNull` fills
   */
  finish(): FittedTransform[];
}

/** A part's state, one for each transform. */
export type FitState = readonly unknown[];

/**
 * Begins the fitting of a feed's transforms over blocks of some columns.
 *
 * @param columns names of the blocks' columns, in their order
 * @param types of the table's columns as Spanner spells them, by lower-case name
 */
export function fitTransforms(
  feed: Feed,
  columns: readonly string[],
  types: ReadonlyMap<string, string> = new Map(),
): TransformFit {
  const learners = learnersOf(feed, types);
  return {
    add(block) {
      for (const learner of learners) {
        const vectors = learner.columns.map((name) => {
          const vector = block.columns[columns.indexOf(name)];
          if (vector === undefined) throw new RangeError(`Column ${name} of feed ${feed.name} was not read`);
          return vector;
        });
        learner.add(vectors, block.rowCount);
      }
    },
    state: () => learners.map((learner) => learner.state()),
    merge(state) {
      if (state.length !== learners.length) throw new RangeError('The partial fit is of another feed');
      for (const [at, learner] of learners.entries()) learner.merge(state[at]);
    },
    finish: () => learners.map((learner) => learner.finish()),
  };
}

/** The learners of a feed's transforms, in order; the label's and the weights' are the last. */
export function learnersOf(feed: Feed, types: ReadonlyMap<string, string>): Learner[] {
  const typeOf = (column: string): string => types.get(column.toLowerCase()) ?? '';
  const learners = feed.transforms.map((transform) => learnerOf(transform, typeOf));
  const { label, weight } = feed;
  if (label) {
    const { column } = label;
    const fitted = { tensor: 'label', column, kind: 'label', greaterThan: label.greaterThan ?? null } as const;
    learners.push(fixed(fitted, [column]));
  }
  if (weight?.kind === 'column') {
    learners.push(fixed({ tensor: 'weight', column: weight.column, kind: 'weight', classes: null }, [weight.column]));
  }
  if (label && weight?.kind === 'classes') {
    // As the label's tensor has them: float32.
    const weights = weight.weights.map(([value, of]) => [Math.fround(value), of] as const);
    const classes: ClassWeights = { greaterThan: label.greaterThan ?? null, weights };
    learners.push(fixed({ tensor: 'weight', column: label.column, kind: 'weight', classes }, [label.column]));
  }
  if (label && weight?.kind === 'balanced') learners.push(classLearner(label));
  return learners;
}

/** Resolves a feed's split; undefined when all rows are for training. */
export function fitSplit(feed: Feed): FittedSplit | undefined {
  if (!feed.split) return undefined;
  const { by, evaluateShare, testShare = 0 } = feed.split;
  const evaluateBelow = Math.round(evaluateShare * splitParts);
  if (testShare === 0) return { by, evaluateBelow };
  return { by, evaluateBelow, testBelow: Math.round((evaluateShare + testShare) * splitParts) };
}

/** Resolves which rows of each class a feed trains on; undefined when it is all of them. */
export function fitBalance({ balance, label }: Feed): FittedBalance | undefined {
  if (!balance || !label) return undefined;
  const keepBelow = balance.map(([value, share]) => [Math.fround(value), Math.round(share * balanceParts)] as const);
  return { column: label.column, greaterThan: label.greaterThan ?? null, keepBelow };
}

function learnerOf(transform: Transform, typeOf: (column: string) => string): Learner {
  const { tensor, column } = transform;
  const type = typeOf(column);
  const base = { tensor, column };
  const fillNull = transform.fillNull ?? null;
  switch (transform.kind) {
    case 'cast':
      return fixed(castOf(transform, type), fillNull === null ? [column] : []);
    case 'part':
      return fixed(partOf(transform), fillNull === null ? [column] : []);
    case 'normalise':
      return normaliseLearner(transform);
    case 'bucket':
      return bucketLearner(transform);
    case 'vocabulary':
      return vocabularyLearner(transform);
    case 'hash': {
      const { kind, cross: name, buckets, oneHot } = transform;
      const cross = name === undefined ? null : { column: name, type: hashedType(typeOf(name)) };
      const refused = name === undefined ? [column] : [column, name];
      return fixed(
        { ...base, kind, type: hashedType(type), cross, buckets, oneHot, fillNull: transform.fillNull ?? null },
        fillNull === null ? refused : [],
      );
    }
    case 'text': {
      const { kind, length, truncate } = transform;
      const fitted = { ...base, kind, type: hashedType(type), length, truncate, fillNull: transform.fillNull ?? null };
      return fixed(fitted, fillNull === null ? [column] : []);
    }
    case 'list': {
      const { kind, as, length, truncate, pad = null } = transform;
      const fitted = { ...base, kind, type: itemType(type), as, length, pad, truncate };
      return fixed(
        { ...fitted, fillNull: transform.fillNull ?? null },
        fillNull === null && pad === null ? [column] : [],
      );
    }
  }
}

function castOf(transform: Extract<Transform, { kind: 'cast' }>, type: string): FittedTransform {
  const { tensor, column, as, scale = 0 } = transform;
  const base = { tensor, column, fillNull: transform.fillNull ?? null };
  if (type === 'DATE') return { ...base, kind: 'days', as };
  if (type === 'TIMESTAMP') return { ...base, kind: 'instant', unit: transform.unit ?? 'ns' };
  // By way of a double, a NUMERIC would be rounded before it is known to be whole.
  const isWhole = as === 'int64' || as === 'int32' || as === 'uint8';
  if (type === 'NUMERIC' && isWhole) return { ...base, kind: 'scaled', as, scale };
  return { ...base, kind: 'cast', as };
}

function partOf(transform: Extract<Transform, { kind: 'part' }>): FittedTransform {
  const { tensor, column, kind, part, zone } = transform;
  const oneHot = transform.oneHot ?? null;
  const fillNull = transform.fillNull ?? null;
  if (oneHot !== null && oneHot < countOfPart[part]) {
    const problem = `oneHot ${oneHot} is too narrow for ${part}`;
    throw new TensorError(tensor, column, problem, `Set oneHot to ${countOfPart[part]}`);
  }
  const first = firstOfPart[part];
  const isPart =
    Number.isInteger(fillNull) && Number(fillNull) >= first && Number(fillNull) < first + countOfPart[part];
  if (fillNull !== null && !isPart) {
    const remedy = `Give a whole number from ${first} to ${first + countOfPart[part] - 1}`;
    throw new TensorError(tensor, column, `fillNull ${fillNull} is no ${part}`, remedy);
  }
  const fitted = { tensor, column, kind, part, zone, oneHot };
  return fillNull === null ? fitted : { ...fitted, fillNull };
}

/** A type that was not told is one whose text travels as it is. */
function hashedType(type: string): HashedType {
  const known = (['BOOL', 'INT64', 'STRING', 'BYTES', 'DATE', 'UUID'] as const).find((name) => type.startsWith(name));
  return known ?? 'STRING';
}

function itemType(type: string): ItemType {
  const known = (['BOOL', 'INT64', 'FLOAT32', 'NUMERIC'] as const).find((name) => type.startsWith(`ARRAY<${name}`));
  return known ?? 'FLOAT64';
}
