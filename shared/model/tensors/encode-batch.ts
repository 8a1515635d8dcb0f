import { keyAt } from '../epochs/key-at.ts';
import type { LayoutOf } from './batch-format.ts';
import { categoryStep, textStep } from './category-steps.ts';
import { type ColumnBlock, type ColumnVector, hasNulls, textBytes } from './column-vector.ts';
import { type DatePart, datePart, firstOfPart, isFraction } from './date-part.ts';
import { dateParts } from './date-parts.ts';
import { columnAt, type FillPlaces, type FillStep, misfit } from './fill-step.ts';
import { fingerprint, fingerprintModulo } from './fingerprint.ts';
import { type FittedTransform, isMasked, maskName, type TensorSpec, tensorSpecs } from './fitted.ts';
import { type Gather, type Gathers, gathersOf, onceForAll } from './gather.ts';
import { listStep, numberStep } from './number-steps.ts';
import { batchLayout, type Items } from './safetensors.ts';
import { asText } from './split-rows.ts';
import { TensorError } from './tensor-error.ts';
import { vocabularyIndex } from './vocabulary-index.ts';
import { writeNumber } from './write-number.ts';

/** Makes bodies of rows. Built once for an epoch: vocabularies are indexed and zones are cached in it. */
export interface BatchEncoder {
  readonly specs: readonly TensorSpec[];
  /**
   * @param rows indexes within the block, in the batch's order; best a view into one array of all the block's rows, as `cutBlock` gives
   *   it: what columns hold is looked up for that whole array at once
   * @param room the buffer of a body that is of no more use: fresh memory costs more than the filling of it
   * @throws {TensorError} naming the tensor, its column and the value that cannot be encoded
   */
  encode(
    block: ColumnBlock,
    rows: Int32Array,
    metadata: Readonly<Record<string, string>>,
    room?: ArrayBuffer | undefined,
  ): Buffer<ArrayBuffer>;
}

/** Fills one tensor (and its mask) from one column. */
type Fill = (vector: ColumnVector, rows: Int32Array, items: Items, mask: Items | undefined) => void;

/**
 * Prepares the encoding of blocks of some columns.
 *
 * @param columns names of the block's columns, in its order
 * @param keyLength so many of them are the primary key: errors name a row by it
 * @param layoutOf lays out a body; safetensors unless given
 */
export function batchEncoder(
  transforms: readonly FittedTransform[],
  columns: readonly string[],
  keyLength = 0,
  layoutOf: LayoutOf = batchLayout,
): BatchEncoder {
  const specs = tensorSpecs(transforms);
  const gathers = gathersOf();
  const steps = transforms.map((transform): FillStep => {
    const places: FillPlaces = {
      column(name) {
        const place = columns.indexOf(name);
        if (place < 0) throw new RangeError(`Column ${name} of tensor ${transform.tensor} is not read`);
        return place;
      },
      tensor: (name) => specs.findIndex((spec) => spec.name === name),
    };
    return stepOf(transform, places, gathers);
  });
  const layout = layoutOf(specs);
  return {
    specs,
    encode(block, rows, metadata, room) {
      const body = layout.layOut(rows.length, metadata, room);
      try {
        for (const step of steps) step(block, rows, body.items);
      } catch (error) {
        if (!(error instanceof TensorError) || error.row === undefined || keyLength === 0) throw error;
        throw error.withKey(keyAt(block, keyLength, error.row));
      }
      return body.seal();
    },
  };
}

function stepOf(transform: FittedTransform, places: FillPlaces, gathers: Gathers): FillStep {
  switch (transform.kind) {
    case 'cast':
      return fillStep(transform, places, castFill(transform, gathers.numbers(transform.column)));
    case 'normalise':
      return fillStep(transform, places, normaliseFill(transform, gathers.numbers(transform.column)));
    case 'label':
      return fillStep(transform, places, labelFill(transform, gathers.numbers(transform.column)));
    case 'part':
      return fillStep(transform, places, partFill(transform, gathers.localSeconds(transform.column, transform.zone)));
    case 'vocabulary': {
      const isPlain = transform.oneHot !== true && (transform.fillNull ?? null) === null;
      return isPlain ? fillStep(transform, places, vocabularyFill(transform)) : categoryStep(transform, places);
    }
    case 'bucket':
    case 'hash':
      return categoryStep(transform, places);
    case 'text':
      return textStep(transform, places);
    case 'list':
      return listStep(transform, places);
    case 'scaled':
    case 'days':
    case 'instant':
    case 'weight':
      return numberStep(transform, places);
  }
}

function fillStep(transform: FittedTransform, places: FillPlaces, fill: Fill): FillStep {
  const column = places.column(transform.column);
  const tensor = places.tensor(transform.tensor);
  const mask = isMasked(transform) ? places.tensor(maskName(transform.tensor)) : -1;
  return (block, rows, all) => {
    const items = all[tensor];
    if (items !== undefined) fill(columnAt(block, column), rows, items, all[mask]);
  };
}

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;

function castFill(transform: Of<'cast'>, gather: Gather): Fill {
  const { as } = transform;
  return (vector, rows, items, mask) => {
    if (items instanceof BigInt64Array) return castBigInts(transform, { vector, rows, items, mask, gather });
    const numbers = gather(vector, rows);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const isNull = vector.nulls[row] === 1;
      const value = isNull ? filled(transform, row) : (numbers[at] ?? 0);
      if (!writeNumber(value, as, items, at)) throw misfit(transform, value, `is not of type ${as}`, row);
      if (mask && !isNull) mask[at] = 1;
    }
  };
}

interface BigIntCast {
  readonly vector: ColumnVector;
  readonly rows: Int32Array;
  readonly items: BigInt64Array;
  readonly mask: Items | undefined;
  readonly gather: Gather;
}

function castBigInts(transform: Of<'cast'>, { vector, rows, items, mask, gather }: BigIntCast): void {
  const exact = vector.kind === 'int64' ? vector.values : undefined;
  const numbers = exact ? undefined : gather(vector, rows);
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at] ?? 0;
    const isNull = vector.nulls[row] === 1;
    const value = isNull ? filled(transform, row) : (exact?.[row] ?? numbers?.[at] ?? 0);
    if (typeof value === 'bigint') items[at] = value;
    else if (!writeNumber(value, 'int64', items, at)) throw misfit(transform, value, 'is not of type int64', row);
    if (mask && !isNull) mask[at] = 1;
  }
}

function normaliseFill(transform: Of<'normalise'>, gather: Gather): Fill {
  const { offset, scale } = transform;
  return (vector, rows, items, mask) => {
    const { nulls } = vector;
    const someNull = hasNulls(vector);
    const numbers = gather(vector, rows);
    const fill = transform.fillNull ?? 0;
    const isFilled = transform.fillNull !== null;
    for (let at = 0; at < rows.length; at += 1) {
      const value = numbers[at] ?? 0;
      const row = rows[at] ?? 0;
      // Of NaN and infinities, the difference from itself is NaN.
      const isThere = !(someNull && nulls[row] === 1) && value - value === 0;
      if (!isThere && !isFilled) throw misfit(transform, null, 'cannot be encoded', row);
      items[at] = ((isThere ? value : fill) - offset) / scale;
      if (mask && isThere) mask[at] = 1;
    }
  };
}

function partFill(transform: Of<'part'>, gather: Gather): Fill {
  const { part, oneHot } = transform;
  const fillNull = transform.fillNull ?? null;
  const first = firstOfPart[part];
  let parts = new Int32Array(0);
  return (vector, rows, items, mask) => {
    if (vector.kind !== 'timestamp' && vector.kind !== 'text') {
      throw misfit(transform, vector.kind, 'is neither TIMESTAMP nor DATE');
    }
    const nullRow = firstNull(vector, rows);
    if (nullRow >= 0 && fillNull === null) throw misfit(transform, null, 'has no parts', nullRow);
    if (parts.length < rows.length) parts = new Int32Array(rows.length);
    if (vector.kind === 'timestamp' && isFraction(part)) fractions(part, vector.nanos, rows, parts);
    else dateParts(part, gather(vector, rows), rows.length, parts);
    if (fillNull !== null) fillNulls(vector.nulls, rows, parts, fillNull, mask);
    const isScalar = oneHot === null;
    if (isScalar && items instanceof Int32Array) items.set(parts.subarray(0, rows.length));
    if (!isScalar && items instanceof Float32Array) {
      const misfitAt = setOneHot(parts, rows.length, first, oneHot, items);
      if (misfitAt >= 0) throw misfit(transform, parts[misfitAt], `has no place among ${oneHot}`, rows[misfitAt]);
    }
  };
}

function fractions(part: DatePart, nanos: Int32Array, rows: Int32Array, into: Int32Array): void {
  for (let at = 0; at < rows.length; at += 1) into[at] = datePart(part, 0, nanos[rows[at] ?? 0]);
}

function fillNulls(
  nulls: Uint8Array,
  rows: Int32Array,
  into: Int32Array,
  fillNull: number,
  mask: Items | undefined,
): void {
  for (let at = 0; at < rows.length; at += 1) {
    if (nulls[rows[at] ?? 0] === 1) into[at] = fillNull;
    else if (mask) mask[at] = 1;
  }
}

/** @returns the first of the rows that is NULL, -1 when none is */
function firstNull(vector: ColumnVector, rows: Int32Array): number {
  if (!hasNulls(vector)) return -1;
  const { nulls } = vector;
  for (let at = 0; at < rows.length; at += 1) if (nulls[rows[at] ?? 0] === 1) return rows[at] ?? 0;
  return -1;
}

/** @returns where a value without a place is, -1 when all have one */
function setOneHot(values: Int32Array, count: number, first: number, width: number, items: Float32Array): number {
  for (let at = 0; at < count; at += 1) {
    const place = (values[at] ?? 0) - first;
    if (place >= width) return at;
    items[at * width + place] = 1;
  }
  return -1;
}

function vocabularyFill(transform: Of<'vocabulary'>): Fill {
  const find = vocabularyIndex(transform.values);
  const { unknown } = transform;
  const placesOf = onceForAll((count) => new Int32Array(count), find);
  return (vector, rows, items) => {
    const texts = asText(vector);
    const places = placesOf(texts, rows);
    if (items instanceof Int32Array)
      setIds(places, hasNulls(vector) ? vector.nulls : undefined, { rows, unknown, items });
    for (let at = 0; unknown > 1 && at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      if (places[at] !== -1 || vector.nulls[row] === 1) continue;
      items[at] = fingerprintModulo(fingerprint(textBytes(texts, row)), unknown);
    }
  };
}

/** NULL is 0, and so is every text outside of the vocabulary where there is one id for them. */
function setIds(
  places: Int32Array,
  nulls: Uint8Array | undefined,
  { rows, unknown, items }: { readonly rows: Int32Array; readonly unknown: number; readonly items: Int32Array },
): void {
  for (let at = 0; at < rows.length; at += 1) {
    const place = places[at] ?? -1;
    items[at] = place < 0 ? 0 : unknown + place;
  }
  for (let at = 0; nulls && at < rows.length; at += 1) if (nulls[rows[at] ?? 0] === 1) items[at] = 0;
}

function labelFill(transform: Of<'label'>, gather: Gather): Fill {
  const { greaterThan } = transform;
  return (vector, rows, items) => {
    const nullRow = firstNull(vector, rows);
    if (nullRow >= 0) throw misfit(transform, null, 'is no label', nullRow);
    const numbers = gather(vector, rows);
    if (!(items instanceof Float32Array)) return;
    if (greaterThan === null) items.set(numbers);
    else setGreater(numbers, greaterThan, items);
  };
}

function setGreater(numbers: Float64Array, bound: number, items: Float32Array): void {
  for (let at = 0; at < numbers.length; at += 1) items[at] = (numbers[at] ?? 0) > bound ? 1 : 0;
}

function filled(transform: Of<'cast'>, row: number): number {
  if (transform.fillNull === null) throw misfit(transform, null, 'cannot be encoded', row);
  return transform.fillNull;
}
