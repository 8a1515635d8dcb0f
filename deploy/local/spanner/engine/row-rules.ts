import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { CompileTable, TablePrograms } from '../row-program.ts';
import type { Schema, Table } from '../schema.ts';
import type { Change, ChangeLog } from '../storage/change-log.ts';
import { columnOf, type TableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { checkCellSize } from './cell-size.ts';
import { EVERYTHING } from './key-ranges.ts';
import { printKey } from './print-key.ts';
import { OutcomeMissing, RowOutcomes } from './row-outcomes.ts';
import type { RowWriter } from './write-cells.ts';

/** The generated columns and CHECK constraints of the tables that one commit or schema change touches. */
export class RowRules {
  readonly outcomes = new RowOutcomes();
  readonly #programs: ReadonlyMap<Table, TablePrograms>;

  private constructor(programs: ReadonlyMap<Table, TablePrograms>) {
    this.#programs = programs;
  }

  /** Resolves what the tables compute; at once where they compute nothing. */
  static async of(tables: Iterable<Table>, compile: CompileTable): Promise<RowRules> {
    const programs = new Map<Table, TablePrograms>();
    for (const table of tables) if (computes(table)) programs.set(table, await compile(table));
    return new RowRules(programs);
  }

  /**
   * Resolves what the tables compute that a schema change touches.
   *
   * @throws {RpcError} of the expressions; FAILED_PRECONDITION where all the tables were there before, so that the
   *   change does not fit them
   */
  static async ofChanged(before: Schema, after: Schema, compile: CompileTable): Promise<RowRules> {
    const changed = [...after.tables].filter(([name, table]) => before.tables.get(name) !== table);
    const tables = changed.map(([, table]) => table);
    try {
      return await RowRules.of(tables, compile);
    } catch (error) {
      const wereThere = changed.every(([name]) => before.tables.has(name));
      if (!wereThere || !(error instanceof RpcError) || error.code !== status.INVALID_ARGUMENT) throw error;
      throw new RpcError(status.FAILED_PRECONDITION, error.message, { cause: error });
    }
  }

  /**
   * Fills the generated columns of the key, in place.
   *
   * @returns false where that must be evaluated first: the row cannot be found yet
   */
  fillKey(writer: RowWriter, row: Cell[], isUpdate: boolean): boolean {
    const program = this.#programs.get(writer.store.table)?.key;
    if (!program) return true;
    const open = program.generated.filter((place) => !writer.places.includes(place));
    if (open.length === 0) return true;
    if (isUpdate) this.#requireInputs(writer, program.inputs, row);
    const cells = this.outcomes.of(program, row);
    if (!cells) return false;
    program.generated.forEach((place, i) => {
      if (open.includes(place)) row[place] = checked(writer.store, place, cells[i] ?? null);
    });
    return true;
  }

  /** Refuses an update that moves a row: its key is generated from what the update changes. */
  requireSameKey(store: TableStore, row: readonly Cell[]): void {
    const program = this.#programs.get(store.table)?.key;
    const cells = program && this.outcomes.of(program, row);
    program?.generated.forEach((place, i) => {
      if (!cells || sameCell(cells[i] ?? null, row[place] ?? null)) return;
      throw new RpcError(
        status.FAILED_PRECONDITION,
        `Cannot update a row of table ${store.table.name} so that its generated key column ${columnOf(store, place).name} changes: delete the row and insert another.`,
      );
    });
  }

  /**
   * Fills the generated columns of all changed rows and holds them to the CHECK constraints.
   *
   * @throws {OutcomeMissing} where some must be evaluated first
   */
  settle(changes: readonly Change<TableStore>[], log: ChangeLog<TableStore>): void {
    for (const { store, key } of changes) this.#settleRow(store, key, log);
    if (!this.outcomes.isComplete) throw new OutcomeMissing();
  }

  /**
   * Holds every live row of a table to its CHECK constraints.
   *
   * @throws {OutcomeMissing} where some must be evaluated first
   */
  validate(store: TableStore): void {
    const program = this.#programs.get(store.table)?.row;
    if (!program) return;
    for (const [, { cells }] of store.rows.range(EVERYTHING.from, EVERYTHING.to)) {
      const outcome = cells && this.outcomes.of(program, cells);
      if (outcome) requireChecks(store, cells, program.checks, outcome.slice(program.generated.length));
    }
    if (!this.outcomes.isComplete) throw new OutcomeMissing();
  }

  #settleRow(store: TableStore, key: string, log: ChangeLog<TableStore>): void {
    const program = this.#programs.get(store.table)?.row;
    const row = program && log.get(store, key);
    const outcome = row && this.outcomes.of(program, row);
    if (!outcome) return;
    requireChecks(store, row, program.checks, outcome.slice(program.generated.length));
    if (program.generated.length === 0) return;
    const filled = [...row];
    while (filled.length < store.table.columns.length) filled.push(null);
    program.generated.forEach((place, i) => {
      filled[place] = checked(store, place, outcome[i] ?? null);
    });
    log.put(store, key, filled);
  }

  #requireInputs({ store, places }: RowWriter, inputs: readonly number[], row: readonly Cell[]): void {
    const lacking = inputs.find((place) => !places.includes(place) && !store.keyAt.includes(place));
    if (lacking === undefined) return;
    const key = store.keyAt.map((place) => (places.includes(place) ? String(row[place] ?? 'NULL') : '<default>'));
    const generated = store.keyAt.find((place) => columnOf(store, place).generatedAs) ?? 0;
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `For an Update, the value of a generated primary key \`${columnOf(store, generated).name}\` must be explicitly specified, or else its non-key dependent column \`${columnOf(store, lacking).name}\` must be specified. Key: [${key.join(',')}]`,
    );
  }
}

function computes(table: Table): boolean {
  return table.checks.length > 0 || table.columns.some((column) => column.generatedAs);
}

/** NULL passes, as everywhere in SQL. */
function requireChecks(
  store: TableStore,
  row: readonly Cell[],
  checks: readonly string[],
  outcomes: readonly Cell[],
): void {
  const violated = checks.find((_, i) => outcomes[i] === false);
  if (violated === undefined) return;
  const key = printKey(store, row).slice(1, -1);
  throw new RpcError(
    status.OUT_OF_RANGE,
    `Check constraint \`${store.table.name}\`.\`${violated}\` is violated for key (${key})`,
  );
}

function checked(store: TableStore, place: number, cell: Cell): Cell {
  const column = columnOf(store, place);
  if (cell !== null) checkCellSize(store.table.name, column, cell);
  else if (column.notNull) {
    throw new RpcError(status.FAILED_PRECONDITION, `${column.name} must not be NULL in table ${store.table.name}.`);
  }
  return cell;
}

function sameCell(one: Cell, other: Cell): boolean {
  if (Buffer.isBuffer(one) && Buffer.isBuffer(other)) return one.equals(other);
  return Object.is(one, other);
}
