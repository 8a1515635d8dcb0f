import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Change, ChangeLog } from '../storage/change-log.ts';
import { AFTER_PREFIX, encodeKey } from '../storage/key-encoding.ts';
import { entryKey, type IndexStore, pick, type TableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { printCells } from './print-key.ts';
import { checkKeySize } from './write-cells.ts';

/**
 * Brings every index up to date with the changed rows, then checks the unique ones.
 *
 * @returns how many entries changed
 */
export function updateIndexes(changes: readonly Change<TableStore>[], log: ChangeLog<IndexStore>): number {
  const added: { store: IndexStore; key: string; cells: readonly Cell[] }[] = [];
  let count = 0;
  for (const change of changes) {
    const { store, key, before } = change;
    const now = store.rows.get(key)?.cells;
    for (const index of store.indexes) {
      const oldKey = before?.cells && entryKey(index, before.cells);
      const newKey = now && entryKey(index, now);
      if (oldKey === newKey) continue;
      if (oldKey !== undefined) log.delete(index, oldKey);
      if (newKey !== undefined && now) {
        checkKeySize(index.index.name, newKey);
        log.put(index, newKey, [key]);
        if (index.index.unique) added.push({ store: index, key: newKey, cells: now });
      }
      count += 1;
    }
  }
  for (const { store, key, cells } of added) requireUnique(store, key, cells);
  return count;
}

/** Refuses an entry whose declared key another row has too; NULLs count as equal. */
export function requireUnique(store: IndexStore, key: string, cells: readonly Cell[]): void {
  const declared = pick(cells, store.keyAt.slice(0, store.declaredKeyCount));
  const prefix = encodeKey(declared, store.key);
  for (const [other, head] of store.rows.range(prefix, prefix + AFTER_PREFIX)) {
    if (other === key || !head.cells) continue;
    throw new RpcError(
      status.ALREADY_EXISTS,
      `Unique index violation on index ${store.index.name} at index key ${printCells(
        declared,
        store.key.map((column) => column.type.code),
      )}. Another row of table ${store.base.table.name} has it already.`,
    );
  }
}
