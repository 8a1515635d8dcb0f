import type { CompiledTarget } from '../compile-target.ts';
import type { Change } from '../resolve/change.ts';
import type { RawRecord } from './raw-record.ts';

/** A record, and what it asks of which table. */
export interface MappedRecord {
  readonly record: RawRecord;
  readonly change: Change;
  /** Undefined where no table was found for it: it is poison, or ignored. */
  readonly target: CompiledTarget | undefined;
}
