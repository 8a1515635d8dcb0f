import type { Meaning } from '../meaning.ts';

/** A type of an Avro schema, ready to be read; recursive ones hold themselves. Source: avro.apache.org, specification 1.12. */
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' }
  | { readonly kind: 'fixed'; readonly size: number }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }
  | { readonly kind: 'array' | 'map'; readonly items: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
  | AvroRecord
  | { readonly kind: 'meaning'; readonly meaning: Meaning; readonly of: AvroType };

/** `fields` are filled while the schema is parsed, so that a record may hold itself. */
export interface AvroRecord {
  readonly kind: 'record';
  /** With its namespace. */
  readonly name: string;
  readonly fields: { readonly name: string; readonly type: AvroType }[];
}
