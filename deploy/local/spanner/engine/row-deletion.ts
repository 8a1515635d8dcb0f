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
  for (let at = 0; at < keys.length; at += ROWS_PER_COMMIT) {
    database.deleteRows((log) => {
      for (const key of keys.slice(at, at + ROWS_PER_COMMIT)) if (store) deleteRow(log, store, key);
    });
  }
  return keys.length;
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
