import type { Schema, Table } from '../schema.ts';
import type { Cell } from '../values.ts';
import type { QueryParameters } from './parameters.ts';

/** A query with everything that it may look at. */
export interface SqlQuery {
  readonly sql: string;
  readonly params: QueryParameters;
  readonly schema: Schema;
  /** What INFORMATION_SCHEMA tells of; all of the schema unless given. */
  readonly describedSchema?: Schema;
  /** Throws where these columns of a user table may not be read; asked once per table, before any row is. */
  readonly authorize?: (table: Table, columns: readonly string[]) => void;
  /**
   * All rows of a user table at the query's timestamp, cells in the order of its columns; asked once per table that
   * the query reads. Rows may be shorter than the columns: what is missing is NULL.
   */
  rows(table: Table): Iterable<readonly Cell[]>;
}
