import type { JsonValue } from '../events/values/exact-json.ts';

/** What a record's bytes say. */
export interface DecodedRecord {
  /** The fields; undefined for format `bytes`, which has none. */
  readonly document: JsonValue | undefined;
  /** The row is gone: `document` is its last state, as far as it is known. */
  readonly isDeletion: boolean;
}

/** Reads the values, or the keys, of one pipeline. */
export interface RecordDecoder {
  /** @throws {PoisonError} for bytes that are not what the format says */
  decode(bytes: Buffer): DecodedRecord;
  /** The id of a registered schema that these bytes need and that is not known yet. */
  missingSchema(bytes: Buffer): number | undefined;
}
