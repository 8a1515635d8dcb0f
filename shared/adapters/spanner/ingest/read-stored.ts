import type { Cell } from '../../../model/events/cell.ts';
import type { Change } from '../../../model/events/change.ts';
import { type CompiledPipeline, keyText } from '../../../model/events/compile-pipeline.ts';
import { columnsToRead, keysToRead, type StoredRows } from '../../../model/events/resolve-changes.ts';
import type { TransactionReads } from '../run-transaction.ts';

/** Reads what a guard or an aggregate builds on. */
export async function readStored(
  reads: TransactionReads,
  compiled: CompiledPipeline,
  changes: readonly Change[],
): Promise<StoredRows> {
  const stored = new Map<string, readonly Cell[]>();
  const keys = keysToRead(compiled, changes);
  if (keys.length === 0) return stored;
  const { name, primaryKey } = compiled.table;
  const columns = [...primaryKey, ...columnsToRead(compiled)];
  const cells = keys.map((key) => key.cells);
  for (const row of await reads.read(name, cells, columns)) {
    stored.set(keyText(row.slice(0, primaryKey.length)), row.slice(primaryKey.length));
  }
  return stored;
}
