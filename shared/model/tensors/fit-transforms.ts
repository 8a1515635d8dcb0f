import type { PenstockError } from '../../base/errors.ts';
import type { Feed, Transform } from '../config/declaration.ts';
import { type ColumnBlock, type ColumnVector, numberReader } from './column-vector.ts';
import { countOfPart } from './date-part.ts';
import type { FittedSplit, FittedTransform } from './fitted.ts';
import { splitParts } from './fitted.ts';
import { addMoments, emptyMoments, type Moments } from './moments.ts';
import { fingerprintedBytes } from './split-rows.ts';
import { TensorError } from './tensor-error.ts';

/** Distinct values counted for one vocabulary: about 100 MiB. */
const MAX_DISTINCT = 500_000;

/** Learns from all rows at the read timestamp, block by block. */
export interface TransformFit {
  /** Takes further rows; blocks of the same rows in the same order give the same state to the last bit. */
  add(block: ColumnBlock): void;
  /**
   * @returns one for each transform, in the feed's order, and one for the label
   * @throws {TensorError} when a column holds NULL that no `fillNull` fills
   */
  finish(): FittedTransform[];
}

/** What one transform learns. */
interface Learner {
  readonly column: number;
  add(vector: ColumnVector, rowCount: number): void;
  finish(): FittedTransform;
}

type Of<K extends Transform['kind']> = Extract<Transform, { kind: K }>;

/**
 * Begins the fitting of a feed's transforms over blocks of some columns.
 *
 * @param columns names of the blocks' columns, in their order
 */
export function fitTransforms(feed: Feed, columns: readonly string[]): TransformFit {
  const place = (name: string): number => columns.indexOf(name);
  const learners = feed.transforms.map((transform) => learnerOf(transform, place(transform.column)));
  if (feed.label) learners.push(learnLabel(feed.label, place(feed.label.column)));
  return {
    add(block) {
      for (const learner of learners) {
        const vector = block.columns[learner.column];
        if (vector === undefined) throw new RangeError(`A column of feed ${feed.name} was not read`);
        learner.add(vector, block.rowCount);
      }
    },
    finish: () => learners.map((learner) => learner.finish()),
  };
}

/** Resolves a feed's split; undefined when all rows are for training. */
export function fitSplit(feed: Feed): FittedSplit | undefined {
  if (!feed.split) return undefined;
  return { by: feed.split.by, evaluateBelow: Math.round(feed.split.evaluateShare * splitParts) };
}

function learnerOf(transform: Transform, column: number): Learner {
  switch (transform.kind) {
    case 'cast':
      return learnCast(transform, column);
    case 'part':
      return learnPart(transform, column);
    case 'normalise':
      return learnNormalise(transform, column);
    case 'vocabulary':
      return learnVocabulary(transform, column);
  }
}

function learnCast(transform: Of<'cast'>, column: number): Learner {
  const nulls = nullCounter(transform.tensor, transform.column);
  const fillNull = transform.fillNull ?? null;
  return {
    column,
    add: nulls.add,
    finish() {
      if (fillNull === null) nulls.refuseAny();
      return { ...transform, fillNull };
    },
  };
}

function learnPart(transform: Of<'part'>, column: number): Learner {
  const nulls = nullCounter(transform.tensor, transform.column);
  const oneHot = transform.oneHot ?? null;
  if (oneHot !== null && oneHot < countOfPart[transform.part]) {
    const problem = `oneHot ${oneHot} is too narrow for ${transform.part}`;
    const remedy = `Set oneHot to ${countOfPart[transform.part]}`;
    throw new TensorError(transform.tensor, transform.column, problem, remedy);
  }
  return {
    column,
    add: nulls.add,
    finish() {
      nulls.refuseAny();
      return { ...transform, oneHot };
    },
  };
}

function learnLabel(label: NonNullable<Feed['label']>, column: number): Learner {
  const nulls = nullCounter('label', label.column);
  return {
    column,
    add: nulls.add,
    finish() {
      nulls.refuseAny();
      return { tensor: 'label', column: label.column, kind: 'label', greaterThan: label.greaterThan ?? null };
    },
  };
}

function learnNormalise({ tensor, column: name, method, fillNull }: Of<'normalise'>, column: number): Learner {
  let moments: Moments = emptyMoments;
  let missing = 0;
  return {
    column,
    add(vector, rowCount) {
      const read = numberReader(vector);
      const values = new Float64Array(rowCount);
      let count = 0;
      for (let row = 0; row < rowCount; row += 1) {
        const value = vector.nulls[row] === 1 ? Number.NaN : read(row);
        if (Number.isFinite(value)) values[count++] = value;
        else missing += 1;
      }
      moments = addMoments(moments, values.subarray(0, count));
    },
    finish() {
      if (missing > 0 && fillNull === undefined) throw nullRefusal(tensor, name, missing);
      const { count, mean, min, max } = moments;
      const [offset, spread] =
        method === 'min-max' ? [min, max - min] : [mean, Math.sqrt(count === 0 ? 0 : moments.squares / count)];
      const filled = fillNull === 'mean' ? mean : (fillNull ?? null);
      // All values alike: they become 0, not a division by zero.
      const scale = spread > 0 ? spread : 1;
      return { tensor, column: name, kind: 'normalise', method, offset, scale, fillNull: filled, count };
    },
  };
}

function learnVocabulary({ tensor, column: name, maxSize, unknown }: Of<'vocabulary'>, column: number): Learner {
  const counts = new Map<string, number>();
  return {
    column,
    add(vector, rowCount) {
      const bytesOf = fingerprintedBytes(vector);
      for (let row = 0; row < rowCount; row += 1) {
        if (vector.nulls[row] === 1) continue;
        const bytes = bytesOf(row);
        const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
        counts.set(value, (counts.get(value) ?? 0) + 1);
      }
      if (counts.size > MAX_DISTINCT) throw tooManyValues(tensor, name);
    },
    finish() {
      const values = [...counts]
        .sort(([left, leftCount], [right, rightCount]) => rightCount - leftCount || compareCodePoints(left, right))
        .slice(0, maxSize)
        .map(([value]) => value);
      return { tensor, column: name, kind: 'vocabulary', unknown, values };
    },
  };
}

function compareCodePoints(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function nullCounter(tensor: string, column: string) {
  let count = 0;
  return {
    add({ nulls }: ColumnVector, rowCount: number): void {
      for (let row = 0; row < rowCount; row += 1) count += nulls[row] ?? 0;
    },
    refuseAny(): void {
      if (count > 0) throw nullRefusal(tensor, column, count);
    },
  };
}

function nullRefusal(tensor: string, column: string, count: number): TensorError {
  const remedy =
    tensor === 'label' ? 'Make the column NOT NULL' : 'Declare fillNull for it, or make the column NOT NULL';
  return new TensorError(tensor, column, `${count} rows hold NULL (or a number that is not finite)`, remedy);
}

function tooManyValues(tensor: string, column: string): PenstockError {
  const problem = `it holds more than ${MAX_DISTINCT} distinct values`;
  return new TensorError(tensor, column, problem, 'A vocabulary is for repeated values: choose another transform');
}
