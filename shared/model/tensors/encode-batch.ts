import { type ColumnBlock, type ColumnVector, numberReader, textAt } from './column-vector.ts';
import { datePart, firstOfPart } from './date-part.ts';
import { fingerprint, fingerprintModulo } from './fingerprint.ts';
import { type FittedTransform, maskName, type TensorSpec, tensorSpecs } from './fitted.ts';
import { type Items, layOutSafetensors } from './safetensors.ts';
import { fingerprintedBytes } from './split-rows.ts';
import { TensorError } from './tensor-error.ts';
import { type FindPlace, vocabularyIndex } from './vocabulary-index.ts';
import { type OffsetAt, zoneClock } from './zone-clock.ts';

/** Makes safetensors bodies of rows. Built once for an epoch: vocabularies are indexed and zones are cached in it. */
export interface BatchEncoder {
  readonly specs: readonly TensorSpec[];
  /**
   * @param rows indexes within the block, in the batch's order
   * @throws {TensorError} naming the tensor, its column and the value that cannot be encoded
   */
  encode(block: ColumnBlock, rows: Int32Array, metadata: Readonly<Record<string, string>>): Buffer;
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
  const steps = transforms.map((transform): Step => {
    const column = columns.indexOf(transform.column);
    if (column < 0) throw new RangeError(`Column ${transform.column} of tensor ${transform.tensor} is not read`);
    const mask = place(maskName(transform.tensor));
    return { fill: fillOf(transform), column, tensor: place(transform.tensor), mask: isMasked(transform) ? mask : -1 };
  });
  return {
    specs,
    encode(block, rows, metadata) {
      const body = layOutSafetensors(specs, rows.length, metadata);
      for (const { fill, column, tensor, mask } of steps) {
        const vector = block.columns[column];
        const items = body.items[tensor];
        if (vector !== undefined && items !== undefined) fill(vector, rows, items, body.items[mask]);
      }
      return body.bytes;
    },
  };
}

function isMasked(transform: FittedTransform): boolean {
  return (transform.kind === 'cast' || transform.kind === 'normalise') && transform.fillNull !== null;
}

function fillOf(transform: FittedTransform): Fill {
  switch (transform.kind) {
    case 'cast':
      return castFill(transform);
    case 'normalise':
      return normaliseFill(transform);
    case 'part':
      return partFill(transform);
    case 'vocabulary':
      return vocabularyFill(transform);
    case 'label':
      return labelFill(transform);
  }
}

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;

function castFill(transform: Of<'cast'>): Fill {
  return (vector, rows, items, mask) => {
    if (items instanceof BigInt64Array) return castBigInts(transform, vector, rows, items, mask);
    const read = numberReader(vector);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const isNull = vector.nulls[row] === 1;
      const value = isNull ? filled(transform) : read(row);
      if (transform.as === 'int32' && value !== (value | 0)) throw misfit(transform, value, 'is not an int32');
      items[at] = transform.as === 'bool' ? Number(value !== 0) : value;
      if (mask && !isNull) mask[at] = 1;
    }
  };
}

function castBigInts(
  transform: Of<'cast'>,
  vector: ColumnVector,
  rows: Int32Array,
  items: BigInt64Array,
  mask: Items | undefined,
): void {
  const exact = vector.kind === 'int64' ? vector.values : undefined;
  const read = exact ? undefined : numberReader(vector);
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at] ?? 0;
    const isNull = vector.nulls[row] === 1;
    const value = isNull ? filled(transform) : (exact?.[row] ?? read?.(row) ?? 0);
    if (typeof value === 'number' && !Number.isSafeInteger(value)) throw misfit(transform, value, 'is not an int64');
    items[at] = BigInt(value);
    if (mask && !isNull) mask[at] = 1;
  }
}

function normaliseFill(transform: Of<'normalise'>): Fill {
  const { offset, scale } = transform;
  return (vector, rows, items, mask) => {
    const read = numberReader(vector);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const value = vector.nulls[row] === 1 ? Number.NaN : read(row);
      const isThere = Number.isFinite(value);
      items[at] = ((isThere ? value : filled(transform)) - offset) / scale;
      if (mask && isThere) mask[at] = 1;
    }
  };
}

function partFill(transform: Of<'part'>): Fill {
  const offsetAt = zoneClock(transform.zone);
  const { part, oneHot } = transform;
  const first = firstOfPart[part];
  return (vector, rows, items) => {
    const localSeconds = localReader(transform, vector, offsetAt);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      if (vector.nulls[row] === 1) throw misfit(transform, null, 'has no parts');
      const value = datePart(part, localSeconds(row));
      if (oneHot === null) items[at] = value;
      else if (value - first >= oneHot) throw misfit(transform, value, `has no place among ${oneHot}`);
      else items[at * oneHot + value - first] = 1;
    }
  };
}

function localReader(transform: FittedTransform, vector: ColumnVector, offsetAt: OffsetAt): (row: number) => number {
  if (vector.kind === 'timestamp') {
    const { seconds } = vector;
    return (row) => {
      const utc = seconds[row] ?? 0;
      return utc + offsetAt(utc);
    };
  }
  // A DATE has no zone.
  if (vector.kind === 'text') return (row) => Date.parse(textAt(vector, row)) / 1000;
  throw misfit(transform, vector.kind, 'is neither TIMESTAMP nor DATE');
}

function vocabularyFill(transform: Of<'vocabulary'>): Fill {
  const find: FindPlace = vocabularyIndex(transform.values);
  const { unknown } = transform;
  return (vector, rows, items) => {
    const bytesOf = fingerprintedBytes(vector);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      if (vector.nulls[row] === 1) continue;
      const bytes = bytesOf(row);
      const found = find(bytes);
      if (found >= 0) items[at] = unknown + found;
      else if (unknown > 1) items[at] = fingerprintModulo(fingerprint(bytes), unknown);
    }
  };
}

function labelFill(transform: Of<'label'>): Fill {
  const { greaterThan } = transform;
  return (vector, rows, items) => {
    const read = numberReader(vector);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      if (vector.nulls[row] === 1) throw misfit(transform, null, 'is no label');
      const value = read(row);
      items[at] = greaterThan === null ? value : Number(value > greaterThan);
    }
  };
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
