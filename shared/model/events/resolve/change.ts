import type { PoisonClass } from '../records/poison.ts';
import type { EncodedRow } from '../row-bytes.ts';
import type { Cell } from '../values/cell.ts';
import type { EncodedChange } from './encoded-change.ts';

/** A row of the pipeline's written columns, in their order; undefined leaves a column as it is. */
export type Row = readonly (Cell | undefined)[];

/** A primary key: its cells in the table's order, and a text that is equal exactly for equal keys. */
export interface RowKey {
  readonly cells: readonly Cell[];
  readonly text: string;
}

/** What one record asks of the table. */
export type Change =
  | { readonly kind: 'write'; readonly key: RowKey; readonly row: Row }
  | EncodedChange
  /** `version` is the guard's cell; undefined when the record carries none. */
  | { readonly kind: 'delete'; readonly key: RowKey; readonly version: Cell | undefined }
  /** For mode `aggregate`: one input a function, undefined for `count`. */
  | { readonly kind: 'add'; readonly key: RowKey; readonly inputs: Row }
  /** A tombstone that the pipeline ignores. */
  | { readonly kind: 'none' }
  | { readonly kind: 'poison'; readonly poison: PoisonClass; readonly reason: string };

/** Rows to write or delete by one operation. */
export type TableMutation =
  | {
      readonly operation: 'insert' | 'update' | 'upsert' | 'replace';
      readonly table: string;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly Cell[])[];
      /** Rows in the protocol's bytes, each with a cell for every column; `rows` is empty then. */
      readonly encoded?: readonly EncodedRow[];
    }
  | { readonly operation: 'delete'; readonly table: string; readonly keys: readonly (readonly Cell[])[] };
