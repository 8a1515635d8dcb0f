import type { TensorType } from '../config/transform.ts';
import { type ColumnVector, halves, halvesToNumber, textAt } from './column-vector.ts';
import type { Items } from './safetensors.ts';

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** NUMERIC has nine digits after the point. */
const NUMERIC_DIGITS = 9;
const INTEGERS = { int32: [-(2 ** 31), 2 ** 31 - 1], uint8: [0, 255] } as const;

/** Writes the value of one place of a column; false when it is not a value of the tensor's type, and nothing is written then. */
export type WriteNumber = (place: number, items: Items, at: number) => boolean;

/**
 * Makes the writing of a column's numbers (BOOL, INT64, FLOAT32, FLOAT64, NUMERIC) as a tensor's. Whole numbers are taken exactly or
 * not at all; floats take the nearest, but not an infinity for a number that is none.
 *
 * @throws {TypeError} for any other column
 */
export function numberWriter(vector: ColumnVector, as: TensorType): WriteNumber {
  if (as === 'int64') return int64Writer(vector);
  const read = numberOf(vector);
  return (place, items, at) => writeNumber(read(place), as, items, at);
}

/** Writes one number as a tensor's value; false when it is none. */
export function writeNumber(value: number, as: TensorType, items: Items, at: number): boolean {
  if (items instanceof BigInt64Array) return writeBigInt(integerOf(value), items, at);
  if (as === 'bool') {
    items[at] = Number(value !== 0);
    return !Number.isNaN(value);
  }
  if (as === 'int32' || as === 'uint8') {
    const [least, most] = INTEGERS[as];
    if (!Number.isInteger(value) || value < least || value > most) return false;
  }
  if (as === 'float32' && !Number.isFinite(Math.fround(value)) && Number.isFinite(value)) return false;
  items[at] = value;
  return true;
}

/** Writes a whole number as int64; false for undefined and for one past the type's ends. */
export function writeBigInt(value: bigint | undefined, items: BigInt64Array, at: number): boolean {
  if (value === undefined || value > MAX_INT64 || value < MIN_INT64) return false;
  items[at] = value;
  return true;
}

/**
 * A decimal text times `10 ** scale`, exactly.
 *
 * @returns undefined when that is no whole number
 */
export function scaledInteger(decimal: string, scale: number): bigint | undefined {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(decimal);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  const digits = fraction.padEnd(NUMERIC_DIGITS, '0');
  if (/[1-9]/.test(digits.slice(scale))) return undefined;
  const magnitude = BigInt(whole + digits.slice(0, scale));
  return sign === '-' ? -magnitude : magnitude;
}

function int64Writer(vector: ColumnVector): WriteNumber {
  const into = (items: Items, at: number, value: bigint | undefined): boolean =>
    items instanceof BigInt64Array && writeBigInt(value, items, at);
  switch (vector.kind) {
    case 'int64':
      return (place, items, at) => into(items, at, vector.values[place]);
    case 'text':
      return (place, items, at) => into(items, at, scaledInteger(textAt(vector, place), 0));
    default: {
      const read = numberOf(vector);
      return (place, items, at) => into(items, at, integerOf(read(place)));
    }
  }
}

function integerOf(value: number): bigint | undefined {
  return Number.isInteger(value) ? BigInt(value) : undefined;
}

function numberOf(vector: ColumnVector): (place: number) => number {
  switch (vector.kind) {
    case 'int64': {
      const pairs = halves(vector.values);
      return (place) => halvesToNumber(pairs, place);
    }
    case 'float64':
    case 'bool': {
      const { values } = vector;
      return (place) => values[place] ?? 0;
    }
    case 'text':
      return (place) => Number(textAt(vector, place));
    default:
      throw new TypeError(`A column of kind ${vector.kind} cannot be read as numbers`);
  }
}
