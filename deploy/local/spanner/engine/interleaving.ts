import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { ChangeLog } from '../storage/change-log.ts';
import { AFTER_PREFIX } from '../storage/key-encoding.ts';
import { rowKey, type TableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { printKey } from './print-key.ts';

/** Refuses with NOT_FOUND a row of an interleaved table whose parent row is not there. */
export function requireParent(log: ChangeLog<TableStore>, store: TableStore, cells: readonly Cell[]): void {
  const { parent } = store;
  if (!parent) return;
  const own = store.keyAt.slice(0, parent.keyAt.length);
  const parentCells: Cell[] = [];
  parent.keyAt.forEach((place, i) => {
    parentCells[place] = cells[own[i] ?? -1] ?? null;
  });
  if (log.get(parent, rowKey(parent, parentCells))) return;
  throw new RpcError(
    status.NOT_FOUND,
    `Parent row for row ${printKey(store, cells)} in table ${store.table.name} is missing. Row cannot be written.`,
  );
}

/**
 * Deletes a row and, ON DELETE CASCADE, all below it.
 *
 * A child's key begins with its parent's, so the rows below are one range of each child table.
 *
 * @throws {RpcError} FAILED_PRECONDITION where a child without CASCADE has rows
 */
export function deleteRow(log: ChangeLog<TableStore>, store: TableStore, key: string): void {
  for (const child of store.children) {
    for (const [childKey, head] of child.rows.range(key, key + AFTER_PREFIX)) {
      if (!head.cells) continue;
      if (child.table.parent?.onDelete !== 'CASCADE') {
        throw new RpcError(
          status.FAILED_PRECONDITION,
          `Integrity constraint violation during DELETE/REPLACE. Found child row ${printKey(child, head.cells)} in table ${child.table.name}.`,
        );
      }
      deleteRow(log, child, childKey);
    }
  }
  log.delete(store, key);
}
