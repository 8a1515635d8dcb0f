import type { Cell } from '../values.ts';

/** One state of a row (or of an index entry) from a commit on; the newest heads a chain of older ones. */
export interface RowVersion {
  /** Microseconds since 1970, the grain of commit timestamps. */
  readonly timestamp: number;
  /** In the table's column order (a shorter row ends in NULLs); undefined where the row was deleted. */
  readonly cells: readonly Cell[] | undefined;
  older: RowVersion | undefined;
}

/** The row as it was at a timestamp, undefined where it did not exist. */
export function cellsAt(head: RowVersion | undefined, timestamp: number): readonly Cell[] | undefined {
  let version = head;
  while (version && version.timestamp > timestamp) version = version.older;
  return version?.cells;
}
