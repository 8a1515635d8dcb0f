import type { JsonValue } from '../values/exact-json.ts';

/** Finds the values that columns need in a record's bytes, and keeps for each slot what it is and where it stands. */
export interface RecordScanner {
  /** One of `value-kind.ts`. */
  readonly kinds: Int32Array;
  /** A string's place is that of its text, any other's is the whole value's. */
  readonly froms: Int32Array;
  readonly tos: Int32Array;
  /** By slot, the bytes that a place is in, where these are not the record's own; else undefined. */
  readonly sources: readonly (Buffer | undefined)[];
  /** How many bytes a text in a source of its own has at most. */
  readonly maxSourceBytes: number;
  /** By slot, a binary number. */
  readonly numbers: Float64Array;
  /**
   * Fills the slots.
   *
   * @returns false for bytes that are not what the format says, and for those that are left to the general path
   */
  scan(bytes: Buffer): boolean;
  /** A slot's value as the reference has it; throws where it does. */
  read(slot: number, bytes: Buffer): JsonValue;
}
