import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { newForeignKeys } from '../ddl/data-checks.ts';
import type { Schema } from '../schema.ts';
import type { Change, ChangeLog } from '../storage/change-log.ts';
import { AFTER_PREFIX, encodeKey } from '../storage/key-encoding.ts';
import {
  type ForeignKeyStore,
  type IndexStore,
  pick,
  type Stores,
  type TableStore,
  tableStore,
} from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { deleteRow } from './interleaving.ts';
import { EVERYTHING } from './key-ranges.ts';

/**
 * Deletes the rows that refer, ON DELETE CASCADE, to rows that the commit deletes, and so on.
 *
 * Rows that the commit itself makes are left: for them the row that they refer to is missing. To be called before the
 * indexes follow, since they show which rows referred to what before the commit.
 */
export function cascadeDeletions(log: ChangeLog<TableStore>): void {
  const handled = new Set<Change<TableStore>>();
  for (let isDone = false; !isDone; ) {
    isDone = true;
    for (const change of log.changes) {
      const { store, key, before } = change;
      if (handled.has(change) || !before?.cells || log.get(store, key)) continue;
      handled.add(change);
      for (const reference of store.referencedBy) {
        if (reference.foreignKey.onDelete !== 'CASCADE') continue;
        for (const found of rowsThatReferred(reference, before.cells, log)) {
          deleteRow(log, reference.from, found);
          // The row may stand among the changes already, as one that was still there.
          isDone = false;
        }
      }
    }
  }
}

/**
 * Refuses changes that leave a row without the row that it refers to. To be called when the indexes have followed.
 *
 * @throws {RpcError} FAILED_PRECONDITION in production's words
 */
export function requireReferences(changes: readonly Change<TableStore>[]): void {
  for (const { store, key, before } of changes) {
    const now = store.rows.get(key)?.cells;
    for (const reference of store.references) if (now) requireReferenced(reference, now);
    for (const reference of store.referencedBy) {
      if (before?.cells) requireNoneLeft(reference, before.cells, now);
    }
  }
}

/** Refuses a schema change with a foreign key that some row of its table does not fit. */
export function requireNewReferences(before: Schema, after: Stores): void {
  for (const { table, name } of newForeignKeys(before, after.schema)) {
    const reference = tableStore(after, table).references.find(({ foreignKey }) => foreignKey.name === name);
    if (!reference) throw new Error(`Foreign key ${name} of table ${table} has not been arranged`);
    for (const [, { cells }] of reference.from.rows.range(EVERYTHING.from, EVERYTHING.to)) {
      if (cells) requireReferenced(reference, cells);
    }
  }
}

/** A row with a NULL among the columns refers to nothing. */
function requireReferenced(reference: ForeignKeyStore, row: readonly Cell[]): void {
  const values = pick(row, reference.fromAt);
  if (values.includes(null) || isThere(reference, values)) return;
  const { name, referencedTable, referencedColumns } = reference.foreignKey;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `Foreign key constraint \`${name}\` is violated on table \`${reference.from.table.name}\`. ` +
      `Cannot find referenced values in ${referencedTable}(${referencedColumns.join(', ')}).`,
  );
}

function requireNoneLeft(reference: ForeignKeyStore, before: readonly Cell[], now: readonly Cell[] | undefined): void {
  const values = pick(before, reference.toAt);
  if (values.includes(null) || (now && sameCells(values, pick(now, reference.toAt)))) return;
  if (isThere(reference, values) || referringKeys(reference, values).next().done) return;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    'Foreign key constraint violation when deleting or updating referenced row(s): ' +
      `referencing row(s) found in table \`${reference.from.table.name}\`.`,
  );
}

function isThere({ to, toAt, toIndex }: ForeignKeyStore, values: readonly Cell[]): boolean {
  return !liveKeys(toIndex ?? to, toAt, values).next().done;
}

function referringKeys({ from, fromAt, fromIndex }: ForeignKeyStore, values: readonly Cell[]): Generator<string> {
  return liveKeys(fromIndex ?? from, fromAt, values);
}

/** The keys of the rows that referred to a row before the commit and still do. */
function rowsThatReferred(reference: ForeignKeyStore, row: readonly Cell[], log: ChangeLog<TableStore>): string[] {
  const values = pick(row, reference.toAt);
  if (values.includes(null)) return [];
  const refers = (cells: readonly Cell[] | undefined): boolean =>
    cells !== undefined && sameCells(values, pick(cells, reference.fromAt));
  return [...referringKeys(reference, values)].filter((key) => {
    const head = reference.from.rows.get(key);
    const before = head?.timestamp === log.timestamp ? head.older : head;
    return refers(head?.cells) && refers(before?.cells);
  });
}

/** The primary keys of live rows that have the values at the places; the store's key begins with their columns. */
function* liveKeys(
  store: TableStore | IndexStore,
  places: readonly number[],
  values: readonly Cell[],
): Generator<string> {
  const ordered = store.keyAt.slice(0, places.length).map((place) => values[places.indexOf(place)] ?? null);
  const prefix = encodeKey(ordered, store.key);
  for (const [key, { cells }] of store.rows.range(prefix, prefix + AFTER_PREFIX)) {
    if (cells) yield 'index' in store ? String(cells[0]) : key;
  }
}

function sameCells(one: readonly Cell[], other: readonly Cell[]): boolean {
  return one.every((cell, i) => {
    const second = other[i] ?? null;
    return Buffer.isBuffer(cell) && Buffer.isBuffer(second) ? cell.equals(second) : Object.is(cell, second);
  });
}
