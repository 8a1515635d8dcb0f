import type { DatePart } from '../tensors/date-part.ts';

export type TensorType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';

export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

/**
 * How one tensor is made of one column. Where `fillNull` is undefined NULL is refused, except by a vocabulary; where it is given a
 * mask tensor `NAME_mask` says which rows it was taken for.
 */
export type Transform = { readonly tensor: string; readonly column: string } & (
  | {
      readonly kind: 'cast';
      readonly as: TensorType;
      readonly fillNull: number | undefined;
      /** NUMERIC as whole numbers of so many decimal digits after the point. */
      readonly scale?: number;
      /** TIMESTAMP as whole units since 1970. */
      readonly unit?: TimeUnit;
    }
  | {
      readonly kind: 'part';
      readonly part: DatePart;
      readonly zone: string;
      /** Width of the one-hot tensor `[rows, oneHot]`; undefined for an int32 `[rows]`. */
      readonly oneHot: number | undefined;
      readonly fillNull?: number | undefined;
    }
  | {
      readonly kind: 'normalise';
      readonly method: 'mean-variance' | 'min-max';
      readonly fillNull: 'mean' | number | undefined;
    }
  /** int32 ids `[rows]`: how many bounds are not above the value. One of `bounds` and `quantiles` is set. */
  | {
      readonly kind: 'bucket';
      readonly bounds: readonly number[] | undefined;
      readonly quantiles: number | undefined;
      readonly oneHot: boolean;
      readonly fillNull: number | undefined;
    }
  /** int32 ids `[rows]`: `0 … unknown - 1` for unknown values (by hash), then the vocabulary in order of frequency. */
  | {
      readonly kind: 'vocabulary';
      readonly maxSize: number;
      readonly unknown: number;
      /** Values that fewer rows hold are unknown. */
      readonly minCount?: number;
      readonly oneHot?: boolean;
      readonly fillNull?: string | undefined;
    }
  /** int32 ids `[rows]`: a fingerprint of the text of the column, or of two, modulo `buckets`. */
  | {
      readonly kind: 'hash';
      readonly cross: string | undefined;
      readonly buckets: number;
      readonly oneHot: boolean;
      readonly fillNull: string | undefined;
    }
  /** uint8 `[rows, length]`, and `NAME_length`. */
  | {
      readonly kind: 'text';
      readonly length: number;
      readonly truncate: boolean;
      readonly fillNull: string | undefined;
    }
  /** An ARRAY as `[rows, length]`. */
  | {
      readonly kind: 'list';
      readonly as: TensorType;
      readonly length: number;
      readonly pad: number | undefined;
      readonly truncate: boolean;
      readonly fillNull: number | undefined;
    }
);

/** The columns that a transform reads. */
export function columnsOf(transform: Transform): string[] {
  return transform.kind === 'hash' && transform.cross !== undefined
    ? [transform.column, transform.cross]
    : [transform.column];
}
