/** Scalar types of Spanner whose values a pipeline can write. */
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

/** A column's type; in an array, code and length are those of its elements. */
export interface ColumnType {
  readonly code: ScalarCode;
  readonly array: boolean;
  /** Characters of a STRING, bytes of a BYTES; undefined for MAX. */
  readonly maxLength: number | undefined;
}

/** One column as the database describes it. */
export interface TableColumn {
  readonly name: string;
  /** As the database spells it, `STRING(36)`. */
  readonly typeText: string;
  /** Undefined for a type that no pipeline can write (PROTO, ENUM, INTERVAL, TOKENLIST). */
  readonly type: ColumnType | undefined;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly generated: boolean;
  readonly allowCommitTimestamp: boolean;
}

/** A secondary index, as far as its entries count in a commit. */
export interface TableIndex {
  readonly name: string;
  /** Key and stored columns. */
  readonly columns: readonly string[];
}

/** A table as a pipeline sees it; filled from INFORMATION_SCHEMA. */
export interface TableSchema {
  readonly name: string;
  readonly columns: readonly TableColumn[];
  readonly primaryKey: readonly string[];
  readonly indexes: readonly TableIndex[];
  /** The tables that this one is interleaved in (`INTERLEAVE IN PARENT`), nearest first; none when left out. */
  readonly ancestors?: readonly string[];
}

const SCALARS: Readonly<Record<string, ScalarCode>> = {
  BOOL: 'BOOL',
  INT64: 'INT64',
  FLOAT32: 'FLOAT32',
  FLOAT64: 'FLOAT64',
  NUMERIC: 'NUMERIC',
  STRING: 'STRING',
  BYTES: 'BYTES',
  JSON: 'JSON',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
  UUID: 'UUID',
};

/**
 * Reads a type as INFORMATION_SCHEMA spells it, `ARRAY<STRING(36)>`.
 *
 * @returns undefined for a type that no pipeline can write
 */
export function readColumnType(text: string): ColumnType | undefined {
  const element = /^ARRAY<(.+?)>(?:\(.*\))?$/i.exec(text.trim())?.[1];
  const match = /^(\w+)(?:\((\w+)\))?$/.exec((element ?? text).trim());
  const code = SCALARS[match?.[1]?.toUpperCase() ?? ''];
  if (!code) return undefined;
  const length = match?.[2];
  const maxLength = length === undefined || length.toUpperCase() === 'MAX' ? undefined : Number(length);
  return { code, array: element !== undefined, maxLength };
}
