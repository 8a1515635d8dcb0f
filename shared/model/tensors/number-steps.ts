import type { TimeUnit } from '../config/transform.ts';
import { type ColumnVector, textAt } from './column-vector.ts';
import { columnAt, type FillPlaces, type FillStep, misfit } from './fill-step.ts';
import { type FittedTransform, lengthName, maskName } from './fitted.ts';
import { labelOf } from './learners.ts';
import type { Items } from './safetensors.ts';
import { numberWriter, scaledInteger, type WriteNumber, writeBigInt, writeNumber } from './write-number.ts';

type Of<K extends FittedTransform['kind']> = Extract<FittedTransform, { kind: K }>;
type One = Of<'cast'> | Of<'scaled'> | Of<'days'> | Of<'instant'> | Of<'weight'>;

const DAY_MS = 86_400_000;
const NANOS_PER_SECOND = 1_000_000_000n;
const nanosPerUnit: Readonly<Record<TimeUnit, bigint>> = { s: NANOS_PER_SECOND, ms: 1_000_000n, us: 1_000n, ns: 1n };

/** Fills one number a row: casts, scaled NUMERIC, days of DATE, units of TIMESTAMP, weights. */
export function numberStep(transform: One, places: FillPlaces): FillStep {
  const column = places.column(transform.column);
  const tensor = places.tensor(transform.tensor);
  const masked = places.tensor(maskName(transform.tensor));
  const fillNull = transform.kind === 'weight' ? null : transform.fillNull;
  const as = asOf(transform);
  return (block, rows, all) => {
    const vector = columnAt(block, column);
    const items = itemsOf(all, tensor);
    const mask = all[masked];
    const write = writerOf(transform, vector);
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      if (vector.nulls[row] === 1) {
        if (fillNull === null) throw misfit(transform, null, 'cannot be encoded', row);
        writeNumber(fillNull, as, items, at);
        continue;
      }
      if (!write(row, items, at)) throw misfit(transform, shown(vector, row), problemOf(transform), row);
      if (mask) mask[at] = 1;
    }
  };
}

/** Fills arrays of numbers of one length. */
export function listStep(transform: Of<'list'>, places: FillPlaces): FillStep {
  const column = places.column(transform.column);
  const tensor = places.tensor(transform.tensor);
  const masked = places.tensor(maskName(transform.tensor));
  const lengths = places.tensor(lengthName(transform.tensor));
  const { length, pad } = transform;
  return (block, rows, all) => {
    const vector = columnAt(block, column);
    if (vector.kind !== 'list') throw misfit(transform, vector.kind, 'is no ARRAY');
    const items = itemsOf(all, tensor);
    const mask = all[masked];
    const counts = pad === null ? undefined : all[lengths];
    const list = { transform, vector, items, mask, write: numberWriter(vector.items, transform.as) };
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const count = writeList(list, row, at * length);
      for (let place = count; place < length; place += 1) {
        writeNumber(pad ?? transform.fillNull ?? 0, transform.as, items, at * length + place);
      }
      if (counts) counts[at] = count;
    }
  };
}

interface ListWriting {
  readonly transform: Of<'list'>;
  readonly vector: Extract<ColumnVector, { kind: 'list' }>;
  readonly items: Items;
  readonly mask: Items | undefined;
  readonly write: WriteNumber;
}

/** @returns how many items were there */
function writeList({ transform, vector, items, mask, write }: ListWriting, row: number, to: number): number {
  const { length, pad, fillNull, truncate } = transform;
  if (vector.nulls[row] === 1) {
    if (pad === null && fillNull === null) throw misfit(transform, null, 'cannot be encoded', row);
    return 0;
  }
  const from = vector.offsets[row] ?? 0;
  const count = (vector.offsets[row + 1] ?? 0) - from;
  if ((count > length && !truncate) || (count < length && pad === null)) {
    throw misfit(transform, `An array of ${count} items`, `is not of length ${length}`, row);
  }
  const kept = Math.min(count, length);
  for (let place = 0; place < kept; place += 1) {
    const isNull = vector.items.nulls[from + place] === 1;
    if (isNull) {
      if (fillNull === null) throw misfit(transform, null, `cannot be encoded (item ${place})`, row);
      writeNumber(fillNull, transform.as, items, to + place);
      continue;
    }
    if (!write(from + place, items, to + place)) {
      const value = `${shown(vector.items, from + place)} (item ${place})`;
      throw misfit(transform, value, `is not of type ${transform.as}`, row);
    }
    if (mask) mask[to + place] = 1;
  }
  return kept;
}

function asOf(transform: One): 'float32' | Of<'cast'>['as'] {
  if (transform.kind === 'instant') return 'int64';
  return transform.kind === 'weight' ? 'float32' : transform.as;
}

function problemOf(transform: One): string {
  if (transform.kind === 'weight') return 'is no weight: wanted is a finite number from 0';
  if (transform.kind === 'instant') return `is not an int64 in ${transform.unit}`;
  const scale = transform.kind === 'scaled' && transform.scale > 0 ? ` of ${transform.scale} digits` : '';
  return `is not of type ${transform.as}${scale}`;
}

function writerOf(transform: One, vector: ColumnVector): WriteNumber {
  switch (transform.kind) {
    case 'cast':
      return numberWriter(vector, transform.as);
    case 'scaled':
      return scaledWriter(transform, textOf(transform, vector));
    case 'days': {
      const text = textOf(transform, vector);
      return (row, items, at) => writeNumber(Date.parse(textAt(text, row)) / DAY_MS, transform.as, items, at);
    }
    case 'instant':
      return instantWriter(transform, vector);
    case 'weight':
      return weightWriter(transform, vector);
  }
}

function scaledWriter({ as, scale }: Of<'scaled'>, text: Extract<ColumnVector, { kind: 'text' }>): WriteNumber {
  return (row, items, at) => {
    const value = scaledInteger(textAt(text, row), scale);
    if (items instanceof BigInt64Array) return writeBigInt(value, items, at);
    // Past 2^53 the nearest double is far past the ends of both types as well.
    return value !== undefined && writeNumber(Number(value), as, items, at);
  };
}

function instantWriter(transform: Of<'instant'>, vector: ColumnVector): WriteNumber {
  if (vector.kind !== 'timestamp') throw misfit(transform, vector.kind, 'is no TIMESTAMP');
  const { seconds, nanos } = vector;
  const unit = nanosPerUnit[transform.unit];
  const perSecond = NANOS_PER_SECOND / unit;
  return (row, items, at) => {
    // Nanoseconds count onwards from the second, also before 1970: cutting them off rounds towards the past.
    const value = BigInt(seconds[row] ?? 0) * perSecond + BigInt(nanos[row] ?? 0) / unit;
    return items instanceof BigInt64Array && writeBigInt(value, items, at);
  };
}

function weightWriter({ classes }: Of<'weight'>, vector: ColumnVector): WriteNumber {
  const write = numberWriter(vector, 'float32');
  const isWeight = (value: number): boolean => value >= 0 && value <= Number.MAX_VALUE;
  if (classes === null) return (row, items, at) => write(row, items, at) && isWeight(Number(items[at]));
  const read = numberWriter(vector, 'float64');
  const value = new Float64Array(1);
  const weights = new Map(classes.weights);
  return (row, items, at) => {
    if (!read(row, value, 0)) return false;
    const label = labelOf(value[0] ?? 0, classes.greaterThan);
    return writeNumber(weights.get(label) ?? Number.NaN, 'float32', items, at) && isWeight(Number(items[at]));
  };
}

function textOf(transform: One, vector: ColumnVector): Extract<ColumnVector, { kind: 'text' }> {
  if (vector.kind !== 'text') throw misfit(transform, vector.kind, 'is not of the declared type');
  return vector;
}

function itemsOf(all: readonly Items[], tensor: number): Items {
  const items = all[tensor];
  if (items === undefined) throw new RangeError(`There are ${all.length} tensors, and no ${tensor}`);
  return items;
}

function shown(vector: ColumnVector, row: number): string {
  switch (vector.kind) {
    case 'text':
      return textAt(vector, row);
    case 'timestamp':
      return new Date((vector.seconds[row] ?? 0) * 1000).toISOString();
    case 'list':
      return 'An array';
    default:
      return String(vector.values[row]);
  }
}
