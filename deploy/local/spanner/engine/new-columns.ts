import type { Column, Schema } from '../schema.ts';
import type { ChangeLog } from '../storage/change-log.ts';
import { columnPlace, type Stores, type TableStore, tableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { type Evaluate, simpleDefault } from './defaults.ts';

interface NewColumn {
  readonly table: string;
  readonly column: Column;
  /** One value for each row, where the default needs the SQL evaluator. */
  readonly cells: Cell[];
}

/** What existing rows get for the columns that a schema change adds with a DEFAULT; generated ones are left NULL, to be settled. */
export interface ColumnFill {
  /** False once rows were written since the values were evaluated. */
  isCurrent(): boolean;
  /** Gives every row its value. */
  write(after: Stores, log: ChangeLog<TableStore>): void;
}

/** Evaluates the defaults of new columns for the rows that are there. */
export async function fillNewColumns(before: Stores, schema: Schema, evaluate: Evaluate): Promise<ColumnFill> {
  const columns = newColumns(before, schema);
  const lastWrites = columns.map(({ table }) => tableStore(before, table).lastWrite);
  for (const { table, column, cells } of columns) {
    const sql = column.defaultExpression ?? 'NULL';
    if (simpleDefault(sql, column.type)) continue;
    for (const [, head] of tableStore(before, table).rows.range('', '\xff')) {
      if (head.cells) cells.push(await evaluate(sql, column.type));
    }
  }
  return {
    isCurrent: () => columns.every(({ table }, i) => tableStore(before, table).lastWrite === lastWrites[i]),
    write(after, log) {
      for (const column of columns) fillColumn(tableStore(after, column.table), column, log);
    },
  };
}

function newColumns(before: Stores, schema: Schema): NewColumn[] {
  const found: NewColumn[] = [];
  for (const [name, table] of schema.tables) {
    const old = before.tables.get(name);
    if (!old) continue;
    for (const column of table.columns) {
      const isNew = !old.columnAt.has(column.name.toLowerCase());
      const isFilled = column.defaultExpression !== undefined || column.generatedAs !== undefined;
      if (isNew && isFilled) found.push({ table: table.name, column, cells: [] });
    }
  }
  return found;
}

function fillColumn(store: TableStore, { column, cells }: NewColumn, log: ChangeLog<TableStore>): void {
  const place = columnPlace(store, column.name);
  const simple = simpleDefault(column.defaultExpression ?? 'NULL', column.type);
  for (const [key, head] of store.rows.range('', '\xff')) {
    if (!head.cells) continue;
    const row = [...head.cells];
    while (row.length < store.table.columns.length) row.push(null);
    row[place] = simple ? simple(log.timestamp) : (cells.pop() ?? null);
    log.put(store, key, row);
  }
}
