import type { ScalarCode } from '../../events/tables/table-schema.ts';

/** What a message's schema says of a value. */
export type ValueShape =
  /** One value; `codes` are the types of columns that can hold one at all, the most natural first. */
  | { readonly kind: 'scalar'; readonly codes: readonly ScalarCode[]; readonly maxLength: number | undefined }
  | { readonly kind: 'list'; readonly items: ValueShape }
  | ObjectShape
  /** The schema leaves it open, or allows several. */
  | { readonly kind: 'any' };

/** Fields are looked up one by one: a message may hold itself. */
export interface ObjectShape {
  readonly kind: 'object';
  readonly names: readonly string[];
  /** Records may have fields that are not named. */
  readonly isOpen: boolean;
  readonly field: (name: string) => FieldShape | undefined;
}

export interface FieldShape {
  readonly shape: ValueShape;
  /** A record may leave it out, or have null for it. */
  readonly optional: boolean;
}

export const anyShape: ValueShape = { kind: 'any' };

/** A scalar whose values fit columns of these types. */
export function scalarShape(codes: readonly ScalarCode[], maxLength?: number): ValueShape {
  return { kind: 'scalar', codes, maxLength };
}

/** Texts: what a STRING column reads from them, every other type that has a text form may as well. */
export const textCodes: readonly ScalarCode[] = [
  'STRING',
  'BYTES',
  'UUID',
  'DATE',
  'TIMESTAMP',
  'INT64',
  'NUMERIC',
  'FLOAT64',
  'FLOAT32',
  'JSON',
];
export const wholeCodes: readonly ScalarCode[] = ['INT64', 'NUMERIC', 'FLOAT64', 'FLOAT32', 'JSON'];
export const floatCodes: readonly ScalarCode[] = ['FLOAT64', 'FLOAT32', 'NUMERIC', 'INT64', 'JSON'];
export const decimalCodes: readonly ScalarCode[] = ['NUMERIC', 'INT64', 'FLOAT64', 'FLOAT32', 'JSON'];
export const boolCodes: readonly ScalarCode[] = ['BOOL', 'JSON'];
export const bytesCodes: readonly ScalarCode[] = ['BYTES', 'JSON'];
export const timestampCodes: readonly ScalarCode[] = ['TIMESTAMP', 'STRING', 'JSON'];
export const dateCodes: readonly ScalarCode[] = ['DATE', 'STRING', 'JSON'];
export const uuidCodes: readonly ScalarCode[] = ['UUID', 'STRING', 'JSON'];
