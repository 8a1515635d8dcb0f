import type { TensorType, TimeUnit } from '../config/transform.ts';
import type { DatePart } from './date-part.ts';

/** Number types of safetensors. */
export type Dtype = 'F64' | 'F32' | 'I64' | 'I32' | 'U8' | 'BOOL';

/** What a tensor is to the trainer. */
export type TensorRole = 'feature' | 'label' | 'weight';

/** One tensor of every batch. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  /** Of one row: `[]` for a single value, `[n]` for n. */
  readonly shape: readonly [] | readonly [number];
  readonly role: TensorRole;
  /** Of an id tensor: its values are `0 … categories - 1`. */
  readonly categories?: number;
}

/**
 * A transform with all that it learned from the rows at the read timestamp. Plain JSON: training and serving use the same.
 * `docs/transforms.md` says what each does, for whoever applies it elsewhere.
 *
 * `fillNull` is taken in place of NULL, and null refuses NULL; where it is not null there is a mask tensor.
 */
export type FittedTransform = { readonly tensor: string; readonly column: string } & (
  | { readonly kind: 'cast'; readonly as: TensorType; readonly fillNull: number | null }
  /** NUMERIC times `10 ** scale`, exactly. */
  | {
      readonly kind: 'scaled';
      readonly as: 'int64' | 'int32' | 'uint8';
      readonly scale: number;
      readonly fillNull: number | null;
    }
  /** DATE as days since 1970-01-01. */
  | { readonly kind: 'days'; readonly as: TensorType; readonly fillNull: number | null }
  /** TIMESTAMP as whole units since 1970, rounded towards the past. */
  | { readonly kind: 'instant'; readonly unit: TimeUnit; readonly fillNull: number | null }
  | {
      readonly kind: 'part';
      readonly part: DatePart;
      readonly zone: string;
      readonly oneHot: number | null;
      readonly fillNull?: number | null;
    }
  | {
      readonly kind: 'normalise';
      readonly method: 'mean-variance' | 'min-max';
      /** Taken off each value. */
      readonly offset: number;
      /** Each difference is divided by it. */
      readonly scale: number;
      /** Taken for NULL, NaN and infinities before normalising; null refuses them. */
      readonly fillNull: number | null;
      /** Values that it was fitted on. */
      readonly count: number;
    }
  /** The id of a value is how many bounds are not above it. */
  | {
      readonly kind: 'bucket';
      /** Strictly rising. */
      readonly bounds: readonly number[];
      /** Into how many equal parts the bounds were fitted to cut the rows; null where they were declared. */
      readonly quantiles: number | null;
      readonly oneHot: boolean;
      /** Also in place of NaN. */
      readonly fillNull: number | null;
    }
  | {
      readonly kind: 'vocabulary';
      readonly unknown: number;
      /** The value at place `i` has the id `unknown + i`. */
      readonly values: readonly string[];
      readonly oneHot?: boolean;
      /** Null or absent: NULL has the id 0, and there is no mask. */
      readonly fillNull?: string | null;
    }
  /** `ABS(MOD(FARM_FINGERPRINT(text), buckets))`; of a cross the text is both, divided by U+001F. */
  | {
      readonly kind: 'hash';
      readonly type: HashedType;
      readonly cross: { readonly column: string; readonly type: HashedType } | null;
      readonly buckets: number;
      readonly oneHot: boolean;
      readonly fillNull: string | null;
    }
  /** UTF-8 (or the bytes of BYTES), filled up with zeros; the tensor `NAME_length` says how many bytes count. */
  | {
      readonly kind: 'text';
      readonly type: HashedType;
      readonly length: number;
      /** Longer values are cut, a text between two characters; else they are refused. */
      readonly truncate: boolean;
      readonly fillNull: string | null;
    }
  /** An ARRAY's first `length` items. */
  | {
      readonly kind: 'list';
      /** Of the items. */
      readonly type: ItemType;
      readonly as: TensorType;
      readonly length: number;
      /** In place of items that are not there; null refuses arrays that are shorter. Adds `NAME_mask` and `NAME_length`. */
      readonly pad: number | null;
      readonly truncate: boolean;
      /** In place of items that are NULL, and, without `pad`, of all items of an array that is NULL. */
      readonly fillNull: number | null;
    }
  /** 1 where the column is greater, else 0; the value itself where `greaterThan` is null. */
  | { readonly kind: 'label'; readonly greaterThan: number | null }
  /** The column itself, or the weight of the row's class: of the label, whose column this then is. */
  | { readonly kind: 'weight'; readonly classes: ClassWeights | null }
);

/** Weights by the label's value. */
export interface ClassWeights {
  readonly greaterThan: number | null;
  readonly weights: readonly (readonly [label: number, weight: number])[];
}

/** Types whose text can be hashed and encoded; BYTES as they are. */
export type HashedType = 'BOOL' | 'INT64' | 'STRING' | 'BYTES' | 'DATE' | 'UUID';

/** Types of an array's items. */
export type ItemType = 'BOOL' | 'INT64' | 'FLOAT32' | 'FLOAT64' | 'NUMERIC';

/** How rows are divided between training, evaluation and test. */
export interface FittedSplit {
  readonly by: string;
  /** A row is for evaluation when `ABS(MOD(FARM_FINGERPRINT(CAST(by AS STRING)), 10000))` is below this. */
  readonly evaluateBelow: number;
  /** A row is for testing when it is not for evaluation, and below this; absent in epochs without test rows. */
  readonly testBelow?: number;
}

/** Which of the training's rows are kept: by a hash of key and seed, at a rate of each class. */
export interface FittedBalance {
  /** The label's. */
  readonly column: string;
  readonly greaterThan: number | null;
  /** A row of the class is kept when `ABS(MOD(FARM_FINGERPRINT(text), 1000000))` is below; classes not named are kept. */
  readonly keepBelow: readonly (readonly [label: number, below: number])[];
}

/** Of how many parts `evaluateBelow` counts. */
export const splitParts = 10_000;
/** Of how many parts `keepBelow` counts. */
export const balanceParts = 1_000_000;

const dtypeOf: Readonly<Record<TensorType, Dtype>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
  bool: 'BOOL',
};

/** The name of the tensor that says where another's values were there: 1, and 0 where `fillNull` filled in. */
export function maskName(tensor: string): string {
  return `${tensor}_mask`;
}

/** The name of the tensor that says how many places of another count. */
export function lengthName(tensor: string): string {
  return `${tensor}_length`;
}

/** The tensors that transforms make, in the transforms' order, each mask after its tensor. */
export function tensorSpecs(transforms: readonly FittedTransform[]): TensorSpec[] {
  return transforms.flatMap(specsOf);
}

/** True for a transform that has a mask beside it. */
export function isMasked(transform: FittedTransform): boolean {
  if (transform.kind === 'label' || transform.kind === 'weight') return false;
  if (transform.kind === 'list' && transform.pad !== null) return true;
  return (transform.fillNull ?? null) !== null;
}

function specsOf(transform: FittedTransform): TensorSpec[] {
  const spec = mainSpec(transform);
  const { name, shape } = spec;
  const specs = [spec];
  if (isMasked(transform)) {
    specs.push({ name: maskName(name), dtype: 'U8', shape: transform.kind === 'list' ? shape : [], role: 'feature' });
  }
  if (transform.kind === 'text' || (transform.kind === 'list' && transform.pad !== null)) {
    specs.push({ name: lengthName(name), dtype: 'I32', shape: [], role: 'feature' });
  }
  return specs;
}

function mainSpec(transform: FittedTransform): TensorSpec {
  const name = transform.tensor;
  const scalar = (dtype: Dtype): TensorSpec => ({ name, dtype, shape: [], role: 'feature' });
  const vector = (dtype: Dtype, length: number): TensorSpec => ({ name, dtype, shape: [length], role: 'feature' });
  const ids = (categories: number, oneHot: boolean): TensorSpec =>
    oneHot ? vector('F32', categories) : { ...scalar('I32'), categories };
  switch (transform.kind) {
    case 'cast':
    case 'scaled':
    case 'days':
      return scalar(dtypeOf[transform.as]);
    case 'instant':
      return scalar('I64');
    case 'normalise':
      return scalar('F32');
    case 'part':
      return transform.oneHot === null ? scalar('I32') : vector('F32', transform.oneHot);
    case 'bucket':
      return ids(transform.bounds.length + 1, transform.oneHot);
    case 'vocabulary':
      return ids(transform.unknown + transform.values.length, transform.oneHot ?? false);
    case 'hash':
      return ids(transform.buckets, transform.oneHot);
    case 'text':
      return vector('U8', transform.length);
    case 'list':
      return vector(dtypeOf[transform.as], transform.length);
    case 'label':
      return { ...scalar('F32'), role: 'label' };
    case 'weight':
      return { ...scalar('F32'), role: 'weight' };
  }
}
