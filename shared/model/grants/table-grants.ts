/** Columns of a table: all of it, those to come included, or those named. */
export type GrantedColumns = 'all' | readonly string[];

/** What a database role may do with one table. Names are as the table's own. */
export interface TableGrants {
  readonly table: string;
  readonly select: GrantedColumns;
  readonly insert: GrantedColumns;
  readonly update: GrantedColumns;
  readonly delete: boolean;
}

/** One thing that code does with a table; what is left out it does not do. */
export type TableUse = Partial<TableGrants> & Pick<TableGrants, 'table'>;

/** Puts uses together: one entry a table, by name, each column once and by name. */
export function joinUses(uses: readonly TableUse[]): TableGrants[] {
  const tables = Map.groupBy(uses, ({ table }) => table);
  return [...tables]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([table, of]) => ({
      table,
      select: joined(of.map(({ select }) => select)),
      insert: joined(of.map(({ insert }) => insert)),
      update: joined(of.map(({ update }) => update)),
      delete: of.some((use) => use.delete === true),
    }));
}

function joined(lists: readonly (GrantedColumns | undefined)[]): GrantedColumns {
  if (lists.includes('all')) return 'all';
  return [...new Set(lists.flatMap((list) => (list === undefined || list === 'all' ? [] : list)))].sort();
}
