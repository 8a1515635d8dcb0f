import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { AFTER_PREFIX } from '../storage/key-encoding.ts';
import { cellsAt } from '../storage/row-version.ts';
import {
  columnOf,
  columnPlace,
  type IndexStore,
  type RowStore,
  type Stores,
  type TableStore,
  tableStore,
} from '../storage/stores.ts';
import type { Cell, StructField } from '../values.ts';
import { type KeyRange, keyRanges, rangesAfter } from './key-ranges.ts';
import type { ReadSet } from './read-set.ts';
import type { WireKeySet } from './wire-mutation.ts';

/** What to read. */
export interface ReadSpec {
  readonly table: string;
  /** Empty for the table itself. */
  readonly index: string;
  readonly columns: readonly string[];
  readonly keySet: WireKeySet;
  /** 0 for no limit. */
  readonly limit: number;
}

/** A read whose names and keys have been resolved. */
export interface PlannedRead {
  readonly store: TableStore;
  readonly index: IndexStore | undefined;
  /** Where the wanted columns stand in a row. */
  readonly places: readonly number[];
  readonly fields: readonly StructField[];
  readonly ranges: readonly KeyRange[];
  readonly limit: number;
}

/** One row read: its place in the order of the read, and all its cells. */
export type ReadRow = readonly [key: string, cells: readonly Cell[]];

/** Resolves tables, columns and keys; NOT_FOUND and INVALID_ARGUMENT for what is not there or does not fit. */
export function planRead(stores: Stores, spec: ReadSpec): PlannedRead {
  const store = tableStore(stores, spec.table);
  const index = spec.index ? findIndex(stores, store, spec.index) : undefined;
  if (spec.columns.length === 0) {
    throw new RpcError(status.INVALID_ARGUMENT, 'Invalid StreamingRead request: name at least one column to read.');
  }
  const places = spec.columns.map((name) => columnPlace(store, name));
  const hidden = index && places.find((place) => !index.readableAt.has(place));
  if (index && hidden !== undefined) {
    throw new RpcError(
      status.UNIMPLEMENTED,
      `Reading non-indexed columns using an index is not supported. Consider adding ${columnOf(store, hidden).name} to the index ${index.index.name} using a STORING clause.`,
    );
  }
  const key = index ? index.key.slice(0, index.declaredKeyCount) : store.key;
  const fields = spec.columns.map((name, i) => ({ name, type: columnOf(store, places[i] ?? -1).type }));
  return { store, index, places, fields, ranges: keyRanges(spec.keySet, key), limit: spec.limit };
}

/**
 * The rows of a read as of a timestamp, lazily, in key order.
 *
 * @param options.after goes on behind the row with this key
 * @param options.readSet is told of everything that the result depends on
 */
export function* readRows(
  read: PlannedRead,
  options: { timestamp: number; after?: string | undefined; skip?: number; readSet?: ReadSet | undefined },
): Generator<ReadRow, void, undefined> {
  const { timestamp, after, readSet } = options;
  const source: RowStore = read.index ?? read.store;
  const ranges = after === undefined ? read.ranges : rangesAfter(read.ranges, after);
  let left = read.limit > 0 ? read.limit - (options.skip ?? 0) : Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  for (const range of ranges) {
    const noted = readSet?.add(source, range);
    for (const [key, head] of source.rows.range(range.from, range.to)) {
      const found = cellsAt(head, timestamp);
      if (!found) continue;
      const cells = read.index ? baseRow(read.store, found, { timestamp, readSet }) : found;
      yield [key, cells];
      left -= 1;
      if (left > 0) continue;
      // Rows behind the limit were not seen: their changes are no conflict.
      if (noted) noted.to = `${key}\0`;
      return;
    }
  }
}

function baseRow(
  store: TableStore,
  entry: readonly Cell[],
  options: { timestamp: number; readSet: ReadSet | undefined },
): readonly Cell[] {
  const key = entry[0];
  if (typeof key !== 'string') throw new Error(`An index entry of ${store.table.name} does not name its row`);
  options.readSet?.add(store, { from: key, to: key + AFTER_PREFIX });
  const cells = cellsAt(store.rows.get(key), options.timestamp);
  if (!cells) throw new Error(`An index entry of ${store.table.name} points to a row that is not there`);
  return cells;
}

function findIndex(stores: Stores, store: TableStore, name: string): IndexStore {
  const index = stores.indexes.get(name.toLowerCase());
  if (!index || index.base !== store) {
    throw new RpcError(status.NOT_FOUND, `Index not found on table ${store.table.name}: ${name}`);
  }
  return index;
}
