import type { DecodedRecord } from '../../formats/record-decoder.ts';
import type { RawRecord } from './raw-record.ts';

/** A record with what its value and its key say; a key without a format of its own says nothing. */
export interface OpenedRecord {
  readonly record: RawRecord;
  readonly value: DecodedRecord | undefined;
  readonly key: DecodedRecord | undefined;
}
