import type { RawRecord } from '../../../model/events/records/raw-record.ts';

/** Records that follow each other in the log. */
export interface RecordSlice {
  readonly fetchedFrom: bigint;
  readonly nextOffset: bigint;
  readonly records: readonly RawRecord[];
}

/** What one fetch brought of one partition, to be read in slices. */
export interface RecordSource {
  /** Where the log goes on after all that came. */
  readonly endOffset: bigint;
  /**
   * The next records.
   *
   * @param limit ends the slice after so many records, or after so many bytes of them
   * @returns undefined when there is nothing more
   * @throws {UnreadableBatchError} naming partition and offset
   */
  next(limit: { readonly records: number; readonly bytes: number }): RecordSlice | undefined;
}
