import { RpcError } from '../../grpc.ts';
import { columnPlace, type TableStore } from '../storage/stores.ts';
import type { Catalog } from './catalog.ts';
import type { Database } from './database.ts';
import { deleteRow } from './interleaving.ts';

const ROWS_PER_COMMIT = 1000;
const NANOS_PER_DAY = 86_400_000_000_000n;

/** Applies the row deletion policies of every database and drops versions past their retention; returns the rows deleted. */
export function sweepExpiredRows(catalog: Catalog): number {
  let deleted = 0;
  for (const { database, transactions } of catalog.databases.values()) {
    for (const name of database.stores.tables.keys()) deleted += sweepTable(database, name);
    transactions.expire();
    database.collect();
  }
  return deleted;
}

function sweepTable(database: Database, name: string): number {
  const store = database.stores.tables.get(name);
  const keys = store ? expiredKeys(store, database.clock.nowMicros()) : [];
  if (!store) return 0;
  let deleted = 0;
  for (let at = 0; at < keys.length; at += ROWS_PER_COMMIT) {
    deleted += deleteKeys(database, store, keys.slice(at, at + ROWS_PER_COMMIT));
  }
  return deleted;
}

/** A row that has children without CASCADE stays until they are gone, and holds up no other. */
function deleteKeys(database: Database, store: TableStore, keys: readonly string[]): number {
  try {
    database.deleteRows((log) => {
      for (const key of keys) deleteRow(log, store, key);
    });
    return keys.length;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (keys.length === 1) return 0;
    return keys.reduce((deleted, key) => deleted + deleteKeys(database, store, [key]), 0);
  }
}

function expiredKeys(store: TableStore, nowMicros: number): string[] {
  const policy = store.table.rowDeletionPolicy;
  if (!policy) return [];
  const place = columnPlace(store, policy.column);
  const before = BigInt(nowMicros) * 1000n - BigInt(policy.days) * NANOS_PER_DAY;
  const keys: string[] = [];
  for (const [key, head] of store.rows.range('', '\xff')) {
    const cell = head.cells?.[place];
    if (typeof cell === 'bigint' && cell < before) keys.push(key);
  }
  return keys;
}
