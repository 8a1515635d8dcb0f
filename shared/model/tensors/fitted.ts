import type { TensorType } from '../config/declaration.ts';
import type { DatePart } from './date-part.ts';

/** Number types of safetensors. */
export type Dtype = 'F64' | 'F32' | 'I64' | 'I32' | 'U8' | 'BOOL';

/** One tensor of every batch. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  /** Of one row: `[]` for a single value, `[n]` for n. */
  readonly shape: readonly [] | readonly [number];
  readonly role: 'feature' | 'label';
  /** Of an id tensor: its values are `0 … categories - 1`. */
  readonly categories?: number;
}

/** A transform with all that it learned from the rows at the read timestamp. Plain JSON: training and serving use the same. */
export type FittedTransform = { readonly tensor: string; readonly column: string } & (
  | { readonly kind: 'cast'; readonly as: TensorType; readonly fillNull: number | null }
  | { readonly kind: 'part'; readonly part: DatePart; readonly zone: string; readonly oneHot: number | null }
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
  | {
      readonly kind: 'vocabulary';
      readonly unknown: number;
      /** The value at place `i` has the id `unknown + i`. */
      readonly values: readonly string[];
    }
  /** 1 where the column is greater, else 0; the value itself where `greaterThan` is null. */
  | { readonly kind: 'label'; readonly greaterThan: number | null }
);

/** How rows are divided between training and evaluation. */
export interface FittedSplit {
  readonly by: string;
  /** A row is for evaluation when `ABS(MOD(FARM_FINGERPRINT(CAST(by AS STRING)), 10000))` is below this. */
  readonly evaluateBelow: number;
}

/** Of how many parts `evaluateBelow` counts. */
export const splitParts = 10_000;

const dtypeOf: Readonly<Record<TensorType, Dtype>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  bool: 'BOOL',
};

/** The name of the tensor that says where another's values were there: 1, and 0 where `fillNull` filled in. */
export function maskName(tensor: string): string {
  return `${tensor}_mask`;
}

/** The tensors that transforms make, in the transforms' order, each mask after its tensor. */
export function tensorSpecs(transforms: readonly FittedTransform[]): TensorSpec[] {
  return transforms.flatMap(specsOf);
}

function specsOf(transform: FittedTransform): TensorSpec[] {
  const name = transform.tensor;
  const scalar = (dtype: Dtype): TensorSpec => ({ name, dtype, shape: [], role: 'feature' });
  switch (transform.kind) {
    case 'cast':
      return withMask(scalar(dtypeOf[transform.as]), transform.fillNull);
    case 'normalise':
      return withMask(scalar('F32'), transform.fillNull);
    case 'part':
      return [transform.oneHot === null ? scalar('I32') : { ...scalar('F32'), shape: [transform.oneHot] }];
    case 'vocabulary':
      return [{ ...scalar('I32'), categories: transform.unknown + transform.values.length }];
    case 'label':
      return [{ ...scalar('F32'), role: 'label' }];
  }
}

function withMask(spec: TensorSpec, fillNull: number | null): TensorSpec[] {
  if (fillNull === null) return [spec];
  return [spec, { name: maskName(spec.name), dtype: 'U8', shape: [], role: 'feature' }];
}
