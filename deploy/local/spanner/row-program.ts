import type { Table } from './schema.ts';
import type { Cell } from './values.ts';

/** What a table computes from each row by SQL. A result depends on nothing but the row's cells at `inputs`. */
export interface RowProgram {
  /** Places of the columns that results depend on. */
  readonly inputs: readonly number[];
  /** Places of the generated columns that a result fills, in order. */
  readonly generated: readonly number[];
  /** Names of the CHECK constraints whose outcomes stand behind those cells: FALSE where a row violates one. */
  readonly checks: readonly string[];
  /** Evaluates rows, as many as there are, in few calls; one result for each. */
  run(rows: readonly (readonly Cell[])[]): Promise<Cell[][]>;
}

/** The programs of a table; undefined where it has nothing to compute. */
export interface TablePrograms {
  /** Generated columns of the primary key: their results say which row it is. */
  readonly key: RowProgram | undefined;
  /** All other generated columns, and the CHECK constraints. */
  readonly row: RowProgram | undefined;
}

/**
 * Resolves the expressions of a table.
 *
 * @throws {RpcError} INVALID_ARGUMENT or FAILED_PRECONDITION where one of them does not fit the table
 */
export type CompileTable = (table: Table) => Promise<TablePrograms>;
