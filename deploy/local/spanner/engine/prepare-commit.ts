import type { CompileTable, TablePrograms } from '../row-program.ts';
import type { Table } from '../schema.ts';
import type { Stores } from '../storage/stores.ts';
import { type CommitDefaults, type Evaluate, prepareDefaults } from './defaults.ts';
import { RowRules } from './row-rules.ts';
import type { WireMutation } from './wire-mutation.ts';

/** What a commit needs besides its mutations. */
export interface CommitPreparation {
  readonly defaults: CommitDefaults;
  readonly rules: RowRules;
}

/** Does what a commit would have to wait for: it may not wait while it holds the rows. */
export async function prepareCommit(
  stores: Stores,
  mutations: readonly WireMutation[],
  { evaluate, compileTable }: { evaluate: Evaluate; compileTable: CompileTable },
): Promise<CommitPreparation> {
  const defaults = await prepareDefaults(stores, mutations, evaluate);
  return { defaults, rules: await RowRules.of(writtenTables(stores, mutations), compileTable) };
}

/** Compiles each table once; after a failure, again. */
export function compileOnce(compile: CompileTable): CompileTable {
  const compiled = new WeakMap<Table, Promise<TablePrograms>>();
  return (table) => {
    const known = compiled.get(table);
    if (known) return known;
    const programs = compile(table);
    compiled.set(table, programs);
    programs.catch(() => compiled.delete(table));
    return programs;
  };
}

function writtenTables(stores: Stores, mutations: readonly WireMutation[]): Set<Table> {
  const tables = new Set<Table>();
  for (const { insert, update, insertOrUpdate, replace } of mutations) {
    const write = insert ?? update ?? insertOrUpdate ?? replace;
    const store = write && stores.tables.get((write.table ?? '').toLowerCase());
    if (store) tables.add(store.table);
  }
  return tables;
}
