import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { backingIndexes, referencedIndex, referencingIndex } from '../ddl/backing-indexes.ts';
import type { Column, ForeignKey, Index, Schema, Table } from '../schema.ts';
import type { Cell } from '../values.ts';
import { encodeKey, type KeyColumn } from './key-encoding.ts';
import type { RowVersion } from './row-version.ts';
import { SortedMap } from './sorted-map.ts';

/** Versioned rows in key order, of a table or of an index. */
export interface RowStore {
  readonly rows: SortedMap<RowVersion>;
  /** Timestamp of the newest commit that changed it, in microseconds. */
  lastWrite: number;
}

/** A table with its rows. */
export interface TableStore extends RowStore {
  readonly table: Table;
  readonly columnAt: ReadonlyMap<string, number>;
  readonly key: readonly KeyColumn[];
  /** Where the key's columns stand in a row. */
  readonly keyAt: readonly number[];
  readonly parent: TableStore | undefined;
  readonly children: TableStore[];
  readonly indexes: IndexStore[];
  /** The enforced foreign keys of the table. */
  readonly references: ForeignKeyStore[];
  /** Those of any table that refer to this one. */
  readonly referencedBy: ForeignKeyStore[];
}

/** An index with its entries; an entry's single cell is the key of the row that it points to. */
export interface IndexStore extends RowStore {
  readonly index: Index;
  readonly base: TableStore;
  /** The declared key's columns, then those of the table's key that it lacks. */
  readonly key: readonly KeyColumn[];
  readonly keyAt: readonly number[];
  readonly declaredKeyCount: number;
  /** Places of the columns that can be read through the index. */
  readonly readableAt: ReadonlySet<number>;
}

/** An enforced foreign key between two tables. */
export interface ForeignKeyStore {
  readonly foreignKey: ForeignKey;
  readonly from: TableStore;
  readonly to: TableStore;
  /** Places of the columns in the rows of each side, in the foreign key's order. */
  readonly fromAt: readonly number[];
  readonly toAt: readonly number[];
  /** Finds rows of each side by their values; undefined where the table's own key does. */
  readonly fromIndex: IndexStore | undefined;
  readonly toIndex: IndexStore | undefined;
}

/** Everything that one database keeps, arranged by its schema. */
export interface Stores {
  readonly schema: Schema;
  readonly tables: ReadonlyMap<string, TableStore>;
  readonly indexes: ReadonlyMap<string, IndexStore>;
}

/** Arranges the stores for a schema, taking over the rows of what was there before under the same name. */
export function arrangeStores(schema: Schema, before?: Stores): Stores {
  const tables = new Map<string, TableStore>();
  for (const [name, table] of schema.tables) {
    const parent = table.parent ? tables.get(table.parent.table.toLowerCase()) : undefined;
    const store = arrangeTable(table, parent, before?.tables.get(name));
    parent?.children.push(store);
    tables.set(name, store);
  }
  const indexes = new Map<string, IndexStore>();
  for (const [name, index] of [...schema.indexes, ...backingIndexes(schema)]) {
    const base = tables.get(index.table.toLowerCase());
    if (!base) throw new Error(`Index ${index.name} is on table ${index.table}, which does not exist`);
    const store = arrangeIndex(index, base, before?.indexes.get(name));
    base.indexes.push(store);
    indexes.set(name, store);
  }
  for (const store of tables.values()) {
    for (const foreignKey of store.table.foreignKeys) {
      if (foreignKey.enforced) arrangeForeignKey({ schema, tables, indexes }, store, foreignKey);
    }
  }
  return { schema, tables, indexes };
}

/** The store of a table, whatever the case of its name; NOT_FOUND if there is none. */
export function tableStore(stores: Stores, name: string): TableStore {
  const store = stores.tables.get(name.toLowerCase());
  if (!store) throw new RpcError(status.NOT_FOUND, `Table not found: ${name}`);
  return store;
}

/** The place of a column in a table's rows; NOT_FOUND if it has no such column. */
export function columnPlace(store: TableStore, name: string): number {
  const place = store.columnAt.get(name.toLowerCase());
  if (place === undefined)
    throw new RpcError(status.NOT_FOUND, `Column not found in table ${store.table.name}: ${name}`);
  return place;
}

export function columnOf(store: TableStore, place: number): Column {
  const column = store.table.columns[place];
  if (!column) throw new Error(`Table ${store.table.name} has no column at ${place}`);
  return column;
}

/** The encoded primary key of a row. */
export function rowKey(store: TableStore, cells: readonly Cell[]): string {
  return encodeKey(pick(cells, store.keyAt), store.key);
}

/** The encoded key of a row's entry in an index, undefined where NULL_FILTERED leaves the row out. */
export function entryKey(store: IndexStore, cells: readonly Cell[]): string | undefined {
  const key = pick(cells, store.keyAt);
  if (store.index.nullFiltered && key.slice(0, store.declaredKeyCount).includes(null)) return undefined;
  return encodeKey(key, store.key);
}

/** Cells by their places, NULL for those that a row from before ADD COLUMN lacks. */
export function pick(cells: readonly Cell[], places: readonly number[]): Cell[] {
  return places.map((place) => cells[place] ?? null);
}

function arrangeTable(table: Table, parent: TableStore | undefined, before: TableStore | undefined): TableStore {
  const columnAt = new Map(table.columns.map((column, place) => [column.name.toLowerCase(), place]));
  const keyAt = table.primaryKey.map((part) => columnAt.get(part.column.toLowerCase()) ?? -1);
  return {
    table,
    columnAt,
    keyAt,
    key: table.primaryKey.map((part, i) => keyColumn(table, keyAt[i] ?? -1, part.descending)),
    rows: before?.rows ?? new SortedMap(),
    lastWrite: before?.lastWrite ?? 0,
    parent,
    children: [],
    indexes: [],
    references: [],
    referencedBy: [],
  };
}

function arrangeForeignKey(stores: Stores, from: TableStore, foreignKey: ForeignKey): void {
  const to = tableStore(stores, foreignKey.referencedTable);
  const storeOf = (index: Index | undefined): IndexStore | undefined =>
    index && stores.indexes.get(index.name.toLowerCase());
  const arranged: ForeignKeyStore = {
    foreignKey,
    from,
    to,
    fromAt: foreignKey.columns.map((name) => columnPlace(from, name)),
    toAt: foreignKey.referencedColumns.map((name) => columnPlace(to, name)),
    fromIndex: storeOf(referencingIndex(from.table, foreignKey)),
    toIndex: storeOf(referencedIndex(stores.schema, foreignKey)),
  };
  from.references.push(arranged);
  to.referencedBy.push(arranged);
}

function arrangeIndex(index: Index, base: TableStore, before: IndexStore | undefined): IndexStore {
  const declared = index.key.map((part) => ({ at: columnPlace(base, part.column), descending: part.descending }));
  const rest = base.keyAt
    .map((at, i) => ({ at, descending: base.key[i]?.descending ?? false }))
    .filter(({ at }) => !declared.some((part) => part.at === at));
  const parts = [...declared, ...rest];
  return {
    index,
    base,
    key: parts.map(({ at, descending }) => keyColumn(base.table, at, descending)),
    keyAt: parts.map(({ at }) => at),
    declaredKeyCount: declared.length,
    readableAt: new Set([...parts.map(({ at }) => at), ...index.storing.map((name) => columnPlace(base, name))]),
    rows: before?.rows ?? new SortedMap(),
    lastWrite: before?.lastWrite ?? 0,
  };
}

function keyColumn(table: Table, place: number, descending: boolean): KeyColumn {
  const column = table.columns[place];
  if (!column) throw new Error(`Table ${table.name} has no column at ${place}`);
  return { type: column.type, descending };
}
