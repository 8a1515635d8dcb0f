import { wordsOf } from '../sql/check-tokens.ts';
import { rowUses } from '../sql/row-uses.ts';
import type { TableUse } from './table-grants.ts';

/** The columns of each table of a database, as they are spelled. */
export type DatabaseColumns = ReadonlyMap<string, readonly string[]>;

/**
 * What a query reads: of each table that stands where a table stands, the columns that words name, and all of them where a row
 * may be used as a whole (`*`, `TO_JSON(t)`). More than it reads, where a word means something else.
 */
export function queryUses(sql: string, columns: DatabaseColumns): TableUse[] {
  const words = wordsOf(sql);
  const { sources, whole } = rowUses(sql);
  return [...columns].flatMap(([table, names]): TableUse[] => {
    const name = table.toLowerCase();
    if (!sources.has(name)) return [];
    const isWhole = whole === 'all' || whole.has(name);
    const select = isWhole ? names : names.filter((column) => words.has(column.toLowerCase()));
    // Rows that are only counted need a privilege on any one column.
    return [{ table, select: select.length > 0 ? select : names.slice(0, 1) }];
  });
}

/** A use with its names as the database spells them, which GRANT demands; names that it does not have are left out. */
export function spelled({ table, ...use }: TableUse, columns: DatabaseColumns): TableUse {
  const found = [...columns].find(([name]) => name.toLowerCase() === table.toLowerCase());
  const [name = table, known = []] = found ?? [];
  const list = (wanted: TableUse['select']): TableUse['select'] => {
    if (wanted === undefined || wanted === 'all') return wanted;
    const lower = new Set(wanted.map((column) => column.toLowerCase()));
    return known.filter((column) => lower.has(column.toLowerCase()));
  };
  const lists = { select: list(use.select), insert: list(use.insert), update: list(use.update) };
  return { table: name, delete: use.delete ?? false, ...withoutUndefined(lists) };
}

function withoutUndefined(lists: Record<'select' | 'insert' | 'update', TableUse['select']>): Omit<TableUse, 'table'> {
  return Object.fromEntries(Object.entries(lists).filter(([, columns]) => columns !== undefined));
}
