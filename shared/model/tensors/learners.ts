import type { Label } from '../config/declaration.ts';
import type { Transform } from '../config/transform.ts';
import { numberReader } from './column-vector.ts';
import { fixed, type Learner, nullRefusal } from './fixed-learner.ts';
import { Moments, type MomentsState } from './moments.ts';
import { Quantiles, type QuantilesState } from './quantiles.ts';
import { fingerprintedBytes } from './split-rows.ts';
import { TensorError } from './tensor-error.ts';

type Of<K extends Transform['kind']> = Extract<Transform, { kind: K }>;

/** Distinct values counted for one vocabulary: about 100 MiB. */
const MAX_DISTINCT = 500_000;
/** Of labels that weights are balanced over. */
const MAX_CLASSES = 1_000;

/** Learns mean and spread, or the ends of the range. */
export function normaliseLearner({ tensor, column, method, fillNull }: Of<'normalise'>): Learner {
  const moments = new Moments();
  let missing = 0;
  return {
    columns: [column],
    isFitted: true,
    add([vector], rowCount) {
      if (vector === undefined) return;
      const read = numberReader(vector);
      for (let row = 0; row < rowCount; row += 1) {
        const value = vector.nulls[row] === 1 ? Number.NaN : read(row);
        if (Number.isFinite(value)) moments.add(value);
        else missing += 1;
      }
    },
    state: () => ({ moments: moments.toJSON(), missing }),
    merge(state) {
      const other = state as { readonly moments: MomentsState; readonly missing: number };
      moments.merge(Moments.of(other.moments));
      missing += other.missing;
    },
    finish() {
      if (missing > 0 && fillNull === undefined) throw nullRefusal(tensor, column, missing);
      const { count, mean, min, max } = moments;
      const [offset, spread] = method === 'min-max' ? [min, max - min] : [mean, Math.sqrt(moments.variance)];
      if (!Number.isFinite(spread)) {
        throw new TensorError(
          tensor,
          column,
          `values from ${min} to ${max} are too far apart`,
          'Normalise smaller values',
        );
      }
      const filled = fillNull === 'mean' ? mean : (fillNull ?? null);
      // All values alike: they become 0, not a division by zero.
      const scale = spread > 0 ? spread : 1;
      return { tensor, column, kind: 'normalise', method, offset, scale, fillNull: filled, count };
    },
  };
}

/** Learns the bounds of buckets that hold as many rows each; or takes the declared ones. */
export function bucketLearner({ tensor, column, bounds, quantiles: parts, oneHot, ...rest }: Of<'bucket'>): Learner {
  const fillNull = rest.fillNull ?? null;
  if (bounds !== undefined) {
    const fitted = { tensor, column, kind: 'bucket', bounds, quantiles: null, oneHot, fillNull } as const;
    return fixed(fitted, fillNull === null ? [column] : []);
  }
  const quantiles = new Quantiles();
  let missing = 0;
  return {
    columns: [column],
    isFitted: true,
    add([vector], rowCount) {
      if (vector === undefined) return;
      const read = numberReader(vector);
      for (let row = 0; row < rowCount; row += 1) {
        const value = vector.nulls[row] === 1 ? Number.NaN : read(row);
        if (Number.isNaN(value)) missing += 1;
        else if (Number.isFinite(value)) quantiles.add(value);
      }
    },
    state: () => ({ quantiles: quantiles.toJSON(), missing }),
    merge(state) {
      const other = state as { readonly quantiles: QuantilesState; readonly missing: number };
      quantiles.merge(Quantiles.of(other.quantiles));
      missing += other.missing;
    },
    finish() {
      if (missing > 0 && fillNull === null) throw nullRefusal(tensor, column, missing);
      const fitted = quantiles.bounds(parts ?? 2);
      return { tensor, column, kind: 'bucket', bounds: fitted, quantiles: parts ?? 2, oneHot, fillNull };
    },
  };
}

/** Learns the most frequent values. */
export function vocabularyLearner(transform: Of<'vocabulary'>): Learner {
  const { tensor, column, maxSize, unknown, minCount = 1 } = transform;
  const counts = new Map<string, number>();
  const count = (value: string, more: number): void => {
    counts.set(value, (counts.get(value) ?? 0) + more);
  };
  const checkSize = (): void => {
    if (counts.size > MAX_DISTINCT) throw tooManyValues(tensor, column);
  };
  return {
    columns: [column],
    isFitted: true,
    add([vector], rowCount) {
      if (vector === undefined) return;
      const bytesOf = fingerprintedBytes(vector);
      for (let row = 0; row < rowCount; row += 1) {
        if (vector.nulls[row] === 1) continue;
        const bytes = bytesOf(row);
        count(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(), 1);
      }
      checkSize();
    },
    state: () => [...counts],
    merge(state) {
      for (const [value, more] of state as [string, number][]) count(value, more);
      checkSize();
    },
    finish() {
      const values = [...counts]
        .filter(([, found]) => found >= minCount)
        .sort(([left, leftCount], [right, rightCount]) => rightCount - leftCount || compareCodePoints(left, right))
        .slice(0, maxSize)
        .map(([value]) => value);
      const more = {
        ...(transform.oneHot === true ? { oneHot: true } : {}),
        ...(transform.fillNull === undefined ? {} : { fillNull: transform.fillNull }),
      };
      return { tensor, column, kind: 'vocabulary', unknown, values, ...more };
    },
  };
}

/** Learns how frequent each class is: its weight is what makes all classes weigh the same, and the mean weight 1. */
export function classLearner({
  column,
  greaterThan = null,
}: {
  column: string;
  greaterThan?: number | null | undefined;
}): Learner {
  const counts = new Map<number, number>();
  const count = (label: number, more: number): void => {
    counts.set(label, (counts.get(label) ?? 0) + more);
    if (counts.size > MAX_CLASSES) throw tooManyClasses(column);
  };
  return {
    columns: [column],
    isFitted: true,
    add([vector], rowCount) {
      if (vector === undefined) return;
      const read = numberReader(vector);
      for (let row = 0; row < rowCount; row += 1) {
        // NULL is refused as a label already.
        if (vector.nulls[row] !== 1) count(labelOf(read(row), greaterThan), 1);
      }
    },
    state: () => [...counts],
    merge(state) {
      for (const [label, more] of state as [number, number][]) count(label, more);
    },
    finish() {
      const total = [...counts.values()].reduce((sum, found) => sum + found, 0);
      const weights = [...counts]
        .sort(([left], [right]) => left - right)
        .map(([label, found]) => [label, total / (counts.size * found)] as const);
      return { tensor: 'weight', column, kind: 'weight', classes: { greaterThan, weights } };
    },
  };
}

/** The value that the label's tensor has. */
export function labelOf(value: number, greaterThan: Label['greaterThan'] | null): number {
  return typeof greaterThan === 'number' ? Number(value > greaterThan) : Math.fround(value) + 0;
}

function compareCodePoints(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function tooManyValues(tensor: string, column: string): TensorError {
  const problem = `it holds more than ${MAX_DISTINCT} distinct values`;
  return new TensorError(tensor, column, problem, 'A vocabulary is for repeated values: choose another transform');
}

function tooManyClasses(column: string): TensorError {
  const problem = `the label has more than ${MAX_CLASSES} values`;
  return new TensorError('weight', column, problem, 'Balance a label of classes, or weigh by a column');
}
