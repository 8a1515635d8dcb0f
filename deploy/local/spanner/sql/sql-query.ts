import type { Schema, Table } from '../schema.ts';
import type { Cell } from '../values.ts';
import type { QueryParameters } from './parameters.ts';

/** A query with everything that it may look at. */
export interface SqlQuery {
  readonly sql: string;
  readonly params: QueryParameters;
  readonly schema: Schema;
  /**
   * All rows of a user table at the query's timestamp, cells in the order of its columns; asked once per table that
   * the query reads. Rows may be shorter than the columns: what is missing is NULL.
   */
  rows(table: Table): Iterable<readonly Cell[]>;
}
