import type { CompiledTarget } from '../compile-target.ts';
import type { TableColumn, TableSchema } from '../tables/table-schema.ts';

/** A table that a pipeline writes, seen by all of its targets together: routes may share one table. */
export interface WrittenTable {
  readonly table: TableSchema;
  /** Every column that one of the targets writes or counts: the places of a row in this table. */
  readonly columns: readonly TableColumn[];
  /** Places of what must be known of a row before a change of it can be decided: the guard, or counters. */
  readonly tracked: readonly number[];
  /** Where the guard stands among `columns`; -1 without a guard. */
  readonly guardAt: number;
  /** Where the primary key's columns stand among `columns`. */
  readonly keyAt: readonly number[];
  /** Tables that this pipeline writes as well and that this one is interleaved in, nearest first. */
  readonly ancestors: readonly WrittenTable[];
  readonly writers: readonly TableWriter[];
}

/** One target among those of its table. */
export interface TableWriter {
  readonly target: CompiledTarget;
  /** Where the target's columns stand among the table's. */
  readonly columnsAt: readonly number[];
  /** Where the target's counters stand among the table's columns. */
  readonly countersAt: readonly number[];
  /** Whether its changes can only be decided by what the table holds. */
  readonly readsFirst: boolean;
}

/** The tables of a pipeline. */
export interface WrittenTables {
  /** Tables that are interleaved in each other, parents before children; most have one table. */
  readonly families: readonly (readonly WrittenTable[])[];
  readonly of: (target: CompiledTarget) => { readonly written: WrittenTable; readonly writer: TableWriter } | undefined;
}

const plans = new WeakMap<readonly CompiledTarget[], WrittenTables>();

/** Puts a pipeline's targets together by table; worked out once for the same targets. */
export function writtenTables(targets: readonly CompiledTarget[]): WrittenTables {
  const known = plans.get(targets);
  if (known) return known;
  const made = plan(targets);
  plans.set(targets, made);
  return made;
}

function plan(targets: readonly CompiledTarget[]): WrittenTables {
  const byName = Map.groupBy(targets, ({ table }) => table.name);
  // An ancestor is made before what is interleaved in it.
  const ordered = [...byName.values()].sort((a, b) => depthOf(a) - depthOf(b));
  const made = new Map<string, WrittenTable>();
  for (const sharing of ordered) {
    const [first] = sharing;
    if (first) made.set(first.table.name, writtenTable(sharing, first.table, made));
  }
  const families = Map.groupBy(made.values(), (written) => written.ancestors.at(-1) ?? written);
  const places = new Map(
    [...made.values()].flatMap((written) => written.writers.map((writer) => [writer.target, { written, writer }])),
  );
  return { families: [...families.values()], of: (target) => places.get(target) };
}

function depthOf([first]: readonly CompiledTarget[]): number {
  return first?.table.ancestors?.length ?? 0;
}

function writtenTable(
  sharing: readonly CompiledTarget[],
  table: TableSchema,
  made: ReadonlyMap<string, WrittenTable>,
): WrittenTable {
  const columns: TableColumn[] = [];
  const placeOf = ({ name }: TableColumn): number => {
    const at = columns.findIndex((column) => column.name === name);
    if (at >= 0) return at;
    const found = sharing.flatMap((target) => allColumns(target)).find((column) => column.name === name);
    return found ? columns.push(found) - 1 : -1;
  };
  const writers = sharing.map((target): TableWriter => {
    const columnsAt = target.columns.map(placeOf);
    const countersAt = target.aggregate?.columns.map(placeOf) ?? [];
    const { mode } = target.target;
    const readsFirst = mode === 'insert' || mode === 'update' || target.guardAt >= 0 || countersAt.length > 0;
    return { target, columnsAt, countersAt, readsFirst };
  });
  const guarded = writers.find(({ target }) => target.guardAt >= 0);
  const guardAt = guarded?.columnsAt[guarded.target.guardAt] ?? -1;
  const tracked = new Set([...writers.flatMap(({ countersAt }) => countersAt), ...(guardAt < 0 ? [] : [guardAt])]);
  const ancestors = (table.ancestors ?? []).flatMap((name) => made.get(name) ?? []);
  const keyAt = table.primaryKey.map((name) => columns.findIndex((column) => column.name === name));
  return { table, columns, tracked: [...tracked], guardAt, keyAt, ancestors, writers };
}

function allColumns({ columns, aggregate }: CompiledTarget): readonly TableColumn[] {
  return [...columns, ...(aggregate?.columns ?? [])];
}
