/** Spanner's types and the one in-memory form of their values that storage, reads and SQL share. */

export type ScalarCode =
  | 'BOOL'
  | 'INT64'
  | 'FLOAT32'
  | 'FLOAT64'
  | 'NUMERIC'
  | 'STRING'
  | 'BYTES'
  | 'JSON'
  | 'DATE'
  | 'TIMESTAMP'
  | 'UUID';

export type SpannerType =
  | { readonly code: ScalarCode }
  | { readonly code: 'ARRAY'; readonly element: SpannerType }
  | { readonly code: 'STRUCT'; readonly fields: readonly StructField[] };

export interface StructField {
  readonly name: string;
  readonly type: SpannerType;
}

/**
 * One value as it is kept.
 *
 * BOOL is a boolean; INT64 a bigint; FLOAT32 and FLOAT64 a number; TIMESTAMP a bigint of nanoseconds since 1970;
 * NUMERIC (canonical decimal), STRING, JSON (canonical text), DATE (`YYYY-MM-DD`) and UUID (lower case) a string;
 * BYTES a Buffer; ARRAY and STRUCT an array of cells.
 */
export type Cell = null | boolean | bigint | number | string | Buffer | readonly Cell[];
