import type { Key } from '../../../model/epochs/key.ts';
import type { KeyRange } from '../../../model/epochs/key-range.ts';
import type { QuerySource } from '../../../model/epochs/range-query.ts';
import type { ReadOptions } from '../../../model/epochs/read-options.ts';

/** Rows of a key range of a table, as of one timestamp, in key order. */
export interface RangeRead {
  readonly table: string;
  /** Those of the primary key first, in its order. */
  readonly columns: readonly string[];
  readonly keyLength: number;
  readonly range: KeyRange;
  /** Only rows behind this one. */
  readonly afterKey?: Key | undefined;
  /** RFC 3339 with nanoseconds. */
  readonly readTimestamp: string;
  /** Rows of each block but the last. */
  readonly blockRows: number;
  /** A block is good until the next is asked for: its memory is used again, since fresh memory costs more than its filling. */
  readonly reuse?: boolean;
  readonly signal?: AbortSignal;
  /** At most so many rows of a plain read. */
  readonly limit?: number;
  /** Read by a query: only rows that meet a condition, or rows of another query. */
  readonly query?: QuerySource | undefined;
  readonly options?: ReadOptions | undefined;
}
