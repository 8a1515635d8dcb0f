import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { dataChecks } from '../ddl/data-checks.ts';
import type { Column, Schema } from '../schema.ts';
import { ChangeLog } from '../storage/change-log.ts';
import type { Garbage } from '../storage/garbage.ts';
import type { RowVersion } from '../storage/row-version.ts';
import { SortedMap } from '../storage/sorted-map.ts';
import {
  arrangeStores,
  columnPlace,
  entryKey,
  type IndexStore,
  type Stores,
  type TableStore,
  tableStore,
} from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { checkCellSize } from './cell-size.ts';
import { requireUnique, updateIndexes } from './index-upkeep.ts';

/** Refuses a schema change that live rows do not fit: NULLs in a column that becomes NOT NULL, values that become too long. */
export function checkRowsFit(stores: Stores, after: Schema): void {
  for (const check of dataChecks(stores.schema, after)) {
    const store = tableStore(stores, check.table);
    const place = columnPlace(store, check.column.name);
    const before = store.table.columns[place];
    if (!before) continue;
    for (const [, head] of store.rows.range('', '\xff')) {
      if (!head.cells) continue;
      const cell = head.cells[place] ?? null;
      if (check.must === 'fits') checkCellSize(check.table, check.column, convert(cell, before, check.column));
      else if (cell === null) {
        throw new RpcError(
          status.FAILED_PRECONDITION,
          `Cannot make column ${check.table}.${check.column.name} NOT NULL: some of its values are NULL.`,
        );
      }
    }
  }
}

/** The stores for a new schema: rows of changed tables rewritten, new indexes filled. */
export function migrateStores(stores: Stores, after: Schema, garbage: Garbage): Stores {
  const tables = new Map(stores.tables);
  for (const [name, store] of stores.tables) {
    const table = after.tables.get(name);
    if (!table) continue;
    if (keepsPlaces(store.table.columns, table.columns)) continue;
    tables.set(name, { ...store, rows: rewriteRows(store, table.columns, garbage) });
  }
  const arranged = arrangeStores(after, { ...stores, tables });
  for (const [name, index] of arranged.indexes) {
    if (!stores.indexes.has(name)) fillIndex(index, garbage);
  }
  return arranged;
}

/** Columns added at the end need no rewriting: shorter rows end in NULLs. */
function keepsPlaces(before: readonly Column[], after: readonly Column[]): boolean {
  return before.every((column, place) => {
    const now = after[place];
    return now?.name === column.name && leafCode(now) === leafCode(column);
  });
}

function rewriteRows(store: TableStore, columns: readonly Column[], garbage: Garbage): SortedMap<RowVersion> {
  const sources = columns.map((column) => {
    const place = store.columnAt.get(column.name.toLowerCase());
    const before = place === undefined ? undefined : store.table.columns[place];
    return { place, before, column };
  });
  const rewrite = (cells: readonly Cell[]): Cell[] =>
    sources.map(({ place, before, column }) =>
      before && place !== undefined ? convert(cells[place] ?? null, before, column) : null,
    );
  const rows = new SortedMap<RowVersion>();
  for (const [key, head] of store.rows.range('', '\xff')) {
    const rewritten = rewriteVersions(head, rewrite);
    rows.set(key, rewritten);
    if (head.older || !head.cells) garbage.add(rows, key, rewritten);
  }
  return rows;
}

function rewriteVersions(version: RowVersion, rewrite: (cells: readonly Cell[]) => Cell[]): RowVersion {
  return {
    timestamp: version.timestamp,
    cells: version.cells && rewrite(version.cells),
    older: version.older && rewriteVersions(version.older, rewrite),
  };
}

/** Fills a new index for every version kept, so that reads in the past find it filled too. Unique must be only what is there now. */
function fillIndex(index: IndexStore, garbage: Garbage): void {
  const base: TableStore = { ...index.base, indexes: [{ ...index, index: { ...index.index, unique: false } }] };
  const versions: { key: string; version: RowVersion; before: RowVersion | undefined }[] = [];
  for (const [key, head] of index.base.rows.range('', '\xff')) {
    for (let version: RowVersion | undefined = head; version; version = version.older) {
      versions.push({ key, version, before: version.older });
    }
  }
  versions.sort((a, b) => a.version.timestamp - b.version.timestamp);
  for (const { key, version, before } of versions)
    fillVersion({ ...base, rows: single(key, version) }, key, before, garbage);
  if (index.index.unique) building(() => requireUniqueRows(index));
}

function requireUniqueRows(index: IndexStore): void {
  for (const [, { cells }] of index.base.rows.range('', '\xff')) {
    const key = cells && entryKey(index, cells);
    if (cells && key !== undefined) requireUnique(index, key, cells);
  }
}

function fillVersion(store: TableStore, key: string, before: RowVersion | undefined, garbage: Garbage): void {
  const timestamp = store.rows.get(key)?.timestamp ?? 0;
  const log = new ChangeLog<IndexStore>(timestamp);
  building(() => updateIndexes([{ store, key, before }], log));
  for (const change of log.changes) {
    const now = change.store.rows.get(change.key);
    if (now && change.before) garbage.add(change.store.rows, change.key, now);
  }
}

function building(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new RpcError(status.FAILED_PRECONDITION, `Cannot build the index: ${error.message}`, { cause: error });
  }
}

function single(key: string, version: RowVersion): SortedMap<RowVersion> {
  const rows = new SortedMap<RowVersion>();
  rows.set(key, version);
  return rows;
}

/** ALTER COLUMN may turn STRING into BYTES and back; every other change keeps the cells. */
function convert(cell: Cell, before: Column, after: Column): Cell {
  if (leafCode(before) === leafCode(after)) return cell;
  if (Array.isArray(cell)) return cell.map((element) => convert(element, before, after));
  if (typeof cell === 'string' && leafCode(after) === 'BYTES') return Buffer.from(cell, 'utf8');
  if (Buffer.isBuffer(cell) && leafCode(after) === 'STRING') return utf8(cell, after);
  return cell;
}

function utf8(bytes: Buffer, column: Column): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `Cannot change column ${column.name} to STRING: some of its values are not valid UTF-8.`,
      { cause: error },
    );
  }
}

function leafCode(column: Column): string {
  return column.type.code === 'ARRAY' ? column.type.element.code : column.type.code;
}
