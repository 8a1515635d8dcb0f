import type { Cell } from '../../../model/events/cell.ts';
import type { Change } from '../../../model/events/change.ts';
import type { CompiledPipeline } from '../../../model/events/compile-pipeline.ts';
import type { CompiledTarget } from '../../../model/events/compile-target.ts';
import { keyText } from '../../../model/events/key-text.ts';
import type { MappedRecord } from '../../../model/events/mapped-record.ts';
import type { StoredByTarget } from '../../../model/events/resolve-batch.ts';
import { columnsToRead, keysToRead, type StoredRows } from '../../../model/events/resolve-changes.ts';
import type { TransactionReads } from '../run-transaction.ts';

/** Reads what guards, aggregates and policies build on, in each of the pipeline's tables. */
export async function readStored(
  reads: TransactionReads,
  { targets }: CompiledPipeline,
  mapped: readonly MappedRecord[],
): Promise<StoredByTarget> {
  const stored = new Map<CompiledTarget, StoredRows>();
  for (const target of targets) {
    const changes = mapped.flatMap((item) => (item.target === target ? [item.change] : []));
    stored.set(target, await readTarget(reads, target, changes));
  }
  return stored;
}

async function readTarget(
  reads: TransactionReads,
  target: CompiledTarget,
  changes: readonly Change[],
): Promise<StoredRows> {
  const stored = new Map<string, readonly Cell[]>();
  const keys = keysToRead(target, changes);
  if (keys.length === 0) return stored;
  const { name, primaryKey } = target.table;
  const columns = [...primaryKey, ...columnsToRead(target)];
  const cells = keys.map((key) => key.cells);
  for (const row of await reads.read(name, cells, columns)) {
    stored.set(keyText(row.slice(0, primaryKey.length)), row.slice(primaryKey.length));
  }
  return stored;
}
