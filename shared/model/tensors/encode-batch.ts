import { type ColumnBlock, type ColumnVector, textBytes } from './column-vector.ts';
import { firstOfPart } from './date-part.ts';
import { dateParts } from './date-parts.ts';
import { fingerprint, fingerprintModulo } from './fingerprint.ts';
import { type FittedTransform, maskName, type TensorSpec, tensorSpecs } from './fitted.ts';
import { type Gather, gatherLocalSeconds, gatherNumbers, gatherOnce } from './gather.ts';
import { batchLayout, type Items } from './safetensors.ts';
import { asText } from './split-rows.ts';
import { TensorError } from './tensor-error.ts';
import { vocabularyIndex } from './vocabulary-index.ts';
import { zoneClock } from './zone-clock.ts';

/** Makes safetensors bodies of rows. Built once for an epoch: vocabularies are indexed and zones are cached in it. */
export interface BatchEncoder {
  readonly specs: readonly TensorSpec[];
  /**
   * @param rows indexes within the block, in the batch's order
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

interface Step {
  readonly fill: Fill;
  readonly column: number;
  readonly tensor: number;
  readonly mask: number;
}

/**
 * Prepares the encoding of blocks of some columns.
 *
 * @param columns names of the block's columns, in its order
 */
export function batchEncoder(transforms: readonly FittedTransform[], columns: readonly string[]): BatchEncoder {
  const specs = tensorSpecs(transforms);
  const place = (name: string): number => specs.findIndex((spec) => spec.name === name);
  const gathers = gathersOf();
  const steps = transforms.map((transform): Step => {
    const column = columns.indexOf(transform.column);
    if (column < 0) throw new RangeError(`Column ${transform.column} of tensor ${transform.tensor} is not read`);
    const mask = place(maskName(transform.tensor));
    const fill = fillOf(transform, gathers);
    return { fill, column, tensor: place(transform.tensor), mask: isMasked(transform) ? mask : -1 };
  });
  const layout = batchLayout(specs);
  return {
    specs,
    encode(block, rows, metadata, room) {
      const body = layout.layOut(rows.length, metadata, room);
      for (const { fill, column, tensor, mask } of steps) {
        const vector = block.columns[column];
        const items = body.items[tensor];
        if (vector !== undefined && items !== undefined) fill(vector, rows, items, body.items[mask]);
      }
      body.seal();
      return body.bytes;
    },
  };
}

function isMasked(transform: FittedTransform): boolean {
  return (transform.kind === 'cast' || transform.kind === 'normalise') && transform.fillNull !== null;
}

/** What several fills share: a column is gathered once for all tensors that are made of it. */
interface Gathers {
  readonly numbers: Gather;
  /** Of an IANA zone. */
  readonly localSeconds: (zone: string) => Gather;
}

function gathersOf(): Gathers {
  const zones = new Map<string, Gather>();
  return {
    numbers: gatherOnce(gatherNumbers),
    localSeconds(zone) {
      const known = zones.get(zone) ?? gatherOnce(gatherLocalSeconds(zoneClock(zone)));
      zones.set(zone, known);
      return known;
    },
  };
}

function fillOf(transform: FittedTransform, { numbers, localSeconds }: Gathers): Fill {
  switch (transform.kind) {
    case 'cast':
      return castFill(transform, numbers);
    case 'normalise':
      return normaliseFill(transform, numbers);
    case 'part':
      return partFill(transform, localSeconds(transform.zone));
    case 'vocabulary':
      return vocabularyFill(transform);
    case 'label':
      return labelFill(transform, numbers);
  }
}

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;

function castFill(transform: Of<'cast'>, gather: Gather): Fill {
  return (vector, rows, items, mask) => {
    if (items instanceof BigInt64Array) return castBigInts(transform, { vector, rows, items, mask, gather });
    const numbers = gather(vector, rows);
    for (let at = 0; at < rows.length; at += 1) {
      const isNull = vector.nulls[rows[at] ?? 0] === 1;
      const value = isNull ? filled(transform) : (numbers[at] ?? 0);
      if (transform.as === 'int32' && value !== (value | 0)) throw misfit(transform, value, 'is not an int32');
      items[at] = transform.as === 'bool' ? Number(value !== 0) : value;
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
    const value = isNull ? filled(transform) : (exact?.[row] ?? numbers?.[at] ?? 0);
    if (typeof value === 'number' && !Number.isSafeInteger(value)) throw misfit(transform, value, 'is not an int64');
    items[at] = BigInt(value);
    if (mask && !isNull) mask[at] = 1;
  }
}

function normaliseFill(transform: Of<'normalise'>, gather: Gather): Fill {
  const { offset, scale } = transform;
  return (vector, rows, items, mask) => {
    const { nulls } = vector;
    const numbers = gather(vector, rows);
    const fill = transform.fillNull ?? 0;
    const isFilled = transform.fillNull !== null;
    for (let at = 0; at < rows.length; at += 1) {
      const value = numbers[at] ?? 0;
      // Of NaN and infinities, the difference from itself is NaN.
      const isThere = nulls[rows[at] ?? 0] !== 1 && value - value === 0;
      if (!isThere && !isFilled) throw misfit(transform, null, 'cannot be encoded');
      items[at] = ((isThere ? value : fill) - offset) / scale;
      if (mask && isThere) mask[at] = 1;
    }
  };
}

function partFill(transform: Of<'part'>, gather: Gather): Fill {
  const { part, oneHot } = transform;
  const first = firstOfPart[part];
  let parts = new Int32Array(0);
  return (vector, rows, items) => {
    if (vector.kind !== 'timestamp' && vector.kind !== 'text') {
      throw misfit(transform, vector.kind, 'is neither TIMESTAMP nor DATE');
    }
    if (hasNull(vector.nulls, rows)) throw misfit(transform, null, 'has no parts');
    if (parts.length < rows.length) parts = new Int32Array(rows.length);
    dateParts(part, gather(vector, rows), rows.length, parts);
    const isScalar = oneHot === null;
    if (isScalar && items instanceof Int32Array) items.set(parts.subarray(0, rows.length));
    if (!isScalar && items instanceof Float32Array) {
      const misfitAt = setOneHot(parts, rows.length, first, oneHot, items);
      if (misfitAt >= 0) throw misfit(transform, parts[misfitAt], `has no place among ${oneHot}`);
    }
  };
}

function hasNull(nulls: Uint8Array, rows: Int32Array): boolean {
  for (let at = 0; at < rows.length; at += 1) if (nulls[rows[at] ?? 0] === 1) return true;
  return false;
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
  let places = new Int32Array(0);
  return (vector, rows, items) => {
    const texts = asText(vector);
    if (places.length < rows.length) places = new Int32Array(rows.length);
    find(texts, rows, places);
    if (items instanceof Int32Array) setIds(places, vector.nulls, rows, unknown, items);
    for (let at = 0; unknown > 1 && at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      if (places[at] !== -1 || vector.nulls[row] === 1) continue;
      items[at] = fingerprintModulo(fingerprint(textBytes(texts, row)), unknown);
    }
  };
}

/** NULL is 0, and so is every text outside of the vocabulary where there is one id for them. */
function setIds(places: Int32Array, nulls: Uint8Array, rows: Int32Array, unknown: number, items: Int32Array): void {
  for (let at = 0; at < rows.length; at += 1) {
    const place = places[at] ?? -1;
    items[at] = place < 0 || nulls[rows[at] ?? 0] === 1 ? 0 : unknown + place;
  }
}

function labelFill(transform: Of<'label'>, gather: Gather): Fill {
  const { greaterThan } = transform;
  return (vector, rows, items) => {
    if (hasNull(vector.nulls, rows)) throw misfit(transform, null, 'is no label');
    const numbers = gather(vector, rows).subarray(0, rows.length);
    if (!(items instanceof Float32Array)) return;
    if (greaterThan === null) items.set(numbers);
    else setGreater(numbers, greaterThan, items);
  };
}

function setGreater(numbers: Float64Array, bound: number, items: Float32Array): void {
  for (let at = 0; at < numbers.length; at += 1) items[at] = (numbers[at] ?? 0) > bound ? 1 : 0;
}

function filled(transform: Of<'cast'> | Of<'normalise'>): number {
  if (transform.fillNull === null) throw misfit(transform, null, 'cannot be encoded');
  return transform.fillNull;
}

function misfit(transform: FittedTransform, value: unknown, problem: string): TensorError {
  const shown = value === null ? 'NULL (or a number that is not finite)' : String(value).slice(0, 64);
  const remedy =
    value === null ? 'Declare fillNull for it, or make the column NOT NULL' : 'Declare another type for it';
  return new TensorError(transform.tensor, transform.column, `${shown} ${problem}`, remedy);
}
