import type { Cell } from './cell.ts';
import type { Change, Row, RowKey, TableMutation } from './change.ts';
import { compareCells } from './compare-cells.ts';
import type { CompiledTarget } from './compile-target.ts';
import { type PoisonClass, PoisonError } from './poison.ts';
import type { EncodedRow } from './row-bytes.ts';

/** What the table holds for a key: the guard's cell, or the group's counters. Missing rows have no entry. */
export type StoredRows = ReadonlyMap<string, readonly Cell[]>;

/** A record that was set aside, by its place among the changes. */
export interface DeadChange {
  readonly at: number;
  readonly poison: PoisonClass;
  readonly reason: string;
}

/** What a run of changes makes of the table; every change is a row, skipped or dead. */
export interface Resolution {
  readonly mutations: readonly TableMutation[];
  readonly dead: readonly DeadChange[];
  /** Records whose change the table takes, those that a later one of the same key replaced included. */
  readonly rowCount: number;
  /** Tombstones ignored and versions that did not grow, by their place among the changes. */
  readonly skippedAt: readonly number[];
}

/** The distinct keys whose rows must be read before `resolveChanges`; none without guard or aggregate. */
export function keysToRead(compiled: CompiledTarget, changes: readonly Change[]): readonly RowKey[] {
  if (compiled.guardAt < 0 && !compiled.aggregate) return [];
  const keys = new Map<string, RowKey>();
  for (const change of changes) if ('key' in change) keys.set(change.key.text, change.key);
  return [...keys.values()];
}

/** The columns that those reads need, after the key's. */
export function columnsToRead(compiled: CompiledTarget): readonly string[] {
  if (compiled.aggregate) return compiled.aggregate.columns.map(({ name }) => name);
  const guard = compiled.columns[compiled.guardAt];
  return guard ? [guard.name] : [];
}

/**
 * Resolves changes, in their order, to what the table must hold.
 *
 * In the modes upsert, replace, delete and aggregate all changes of one key become one; in insert and update they stay as
 * they are, so that Spanner itself refuses a second insert or an update of nothing.
 *
 * @param stored rows read in the same transaction, for `keysToRead`
 */
export function resolveChanges(compiled: CompiledTarget, changes: readonly Change[], stored: StoredRows): Resolution {
  const { mode } = compiled.target;
  const accepts = compiled.guardAt < 0 ? () => true : versionGuard(compiled, stored);
  const groups = groupTotals(compiled, stored);
  const operations = mode === 'insert' || mode === 'update' ? orderedOperations(mode) : collapsedOperations(mode);
  const dead: DeadChange[] = [];
  let rowCount = 0;
  const skippedAt: number[] = [];
  for (const [at, change] of changes.entries()) {
    if (change.kind === 'poison') dead.push({ at, poison: change.poison, reason: change.reason });
    else if (change.kind === 'none' || !accepts(change)) skippedAt.push(at);
    else if (change.kind === 'add') {
      const refused = groups.add(change.key, change.inputs);
      if (refused) dead.push({ at, poison: refused.poison, reason: refused.message });
      else rowCount++;
    } else {
      operations.push(change);
      rowCount++;
    }
  }
  const mutations = [...mutationsOf(compiled, operations.list()), ...groups.mutations()];
  return { mutations, dead, rowCount, skippedAt };
}

type RowChange = Extract<Change, { kind: 'write' | 'encoded' | 'delete' }>;

type WriteKind = 'insert' | 'update' | 'upsert' | 'replace';

type Operation =
  | { readonly operation: 'delete'; readonly key: RowKey }
  | { readonly operation: WriteKind; readonly row: Row }
  | { readonly operation: WriteKind; readonly encoded: EncodedRow };

interface Operations {
  push(change: RowChange): void;
  list(): Iterable<Operation>;
}

function orderedOperations(mode: 'insert' | 'update'): Operations {
  const operations: Operation[] = [];
  return {
    push: (change) => operations.push(operationOf(change, mode)),
    list: () => operations,
  };
}

function operationOf(change: RowChange, operation: WriteKind): Operation {
  if (change.kind === 'delete') return { operation: 'delete', key: change.key };
  return change.kind === 'encoded' ? { operation, encoded: change.row } : { operation, row: change.row };
}

function keyTextOf(change: RowChange): string {
  return change.kind === 'encoded' ? change.keyText : change.key.text;
}

/** One operation a key, in the order of each key's last change; but for a part of a row over a whole encoded one. */
function collapsedOperations(mode: CompiledTarget['target']['mode']): Operations {
  const byKey = new Map<string, Operation>();
  const before: Operation[] = [];
  const write = mode === 'replace' ? 'replace' : 'upsert';
  return {
    push(change) {
      const text = keyTextOf(change);
      const earlier = byKey.get(text);
      const later = operationOf(change, write);
      if (!earlier) {
        byKey.set(text, later);
        return;
      }
      byKey.delete(text);
      const both = follow(earlier, later);
      if (both) byKey.set(text, both);
      else {
        before.push(earlier);
        byKey.set(text, later);
      }
    },
    list: () => (before.length === 0 ? byKey.values() : [...before, ...byKey.values()]),
  };
}

/**
 * Two changes of one key as one: a write after a deletion leaves nothing of the old row.
 *
 * @returns undefined where both must be written, in order
 */
function follow(earlier: Operation, later: Operation): Operation | undefined {
  if (later.operation !== 'upsert') return later;
  if (earlier.operation === 'delete') return { ...later, operation: 'replace' };
  const { operation } = earlier;
  if ('encoded' in later) return { ...later, operation };
  if ('encoded' in earlier) return undefined;
  return { operation, row: later.row.map((cell, at) => (cell === undefined ? earlier.row[at] : cell)) };
}

function versionGuard(compiled: CompiledTarget, stored: StoredRows): (change: Change) => boolean {
  const code = compiled.columns[compiled.guardAt]?.type?.code ?? 'INT64';
  const versions = new Map<string, Cell | undefined>();
  for (const [key, cells] of stored) versions.set(key, cells[0] ?? null);
  return (change) => {
    if (change.kind !== 'write' && change.kind !== 'delete') return true;
    const held = versions.get(change.key.text);
    const version = change.kind === 'delete' ? change.version : (change.row[compiled.guardAt] ?? null);
    if (held !== undefined && version !== undefined && compareCells(code, version, held) <= 0) return false;
    versions.set(change.key.text, change.kind === 'delete' ? undefined : (version ?? null));
    return true;
  };
}

interface GroupTotals {
  /** @returns why the record cannot be added, undefined when it was */
  add(key: RowKey, inputs: Row): PoisonError | undefined;
  mutations(): TableMutation[];
}

function groupTotals(compiled: CompiledTarget, stored: StoredRows): GroupTotals {
  const totals = new Map<string, { readonly key: RowKey; readonly cells: readonly Cell[] }>();
  const { aggregate } = compiled;
  return {
    add(key, inputs) {
      if (!aggregate) return undefined;
      try {
        const held = totals.get(key.text)?.cells ?? stored.get(key.text);
        totals.set(key.text, { key, cells: aggregate.add(held, inputs) });
        return undefined;
      } catch (error) {
        if (error instanceof PoisonError) return error;
        throw error;
      }
    },
    mutations() {
      if (!aggregate || totals.size === 0) return [];
      const columns = [...compiled.table.primaryKey, ...aggregate.columns.map(({ name }) => name)];
      const rows = [...totals.values()].map(({ key, cells }) => [...key.cells, ...cells]);
      return [{ operation: 'upsert', table: compiled.table.name, columns, rows }];
    },
  };
}

/** Neighbours of the same operation on the same columns share a mutation. */
function mutationsOf(compiled: CompiledTarget, operations: Iterable<Operation>): TableMutation[] {
  const mutations: TableMutation[] = [];
  const table = compiled.table.name;
  const names = compiled.columns.map(({ name }) => name);
  let open = '';
  let rows: (readonly Cell[])[] = [];
  let encoded: EncodedRow[] = [];
  for (const item of operations) {
    const { operation } = item;
    const shape = 'encoded' in item ? 'encoded' : 'row' in item ? shapeOf(item.row) : '';
    if (open !== `${operation} ${shape}`) {
      open = `${operation} ${shape}`;
      rows = [];
      encoded = [];
      if (operation === 'delete') mutations.push({ operation, table, keys: rows });
      else if ('encoded' in item) mutations.push({ operation, table, columns: names, rows, encoded });
      else mutations.push({ operation, table, columns: names.filter((_, at) => item.row[at] !== undefined), rows });
    }
    if ('encoded' in item) encoded.push(item.encoded);
    else if ('row' in item) rows.push(item.row.filter((cell) => cell !== undefined));
    else rows.push(item.key.cells);
  }
  return mutations;
}

/** Which columns a row leaves as they are. */
function shapeOf(row: Row): string {
  let shape = '';
  for (let at = 0; at < row.length; at++) if (row[at] === undefined) shape += `${at},`;
  return shape;
}
