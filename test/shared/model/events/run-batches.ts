import { readStored } from '../../../../shared/adapters/spanner/ingest/read-stored.ts';
import type { CompiledPipeline } from '../../../../shared/model/events/compile-pipeline.ts';
import type { RawRecord } from '../../../../shared/model/events/records/raw-record.ts';
import { resolveBatch } from '../../../../shared/model/events/resolve/resolve-batch.ts';
import type { MemoryTables } from './memory-tables.ts';

/** What became of a record. */
export type Fate = 'taken' | 'skipped' | 'undecodable' | 'unmappable' | 'constraint' | 'too-large' | 'conflict';

/**
 * Runs records through a pipeline in batches, each read, resolved and applied as one transaction; every batch is first
 * resolved once more in vain, as after a crash before the commit.
 *
 * @param cuts the batches' lengths; what is left is one more batch
 */
export async function runBatches(
  compiled: CompiledPipeline,
  tables: MemoryTables,
  records: readonly RawRecord[],
  cuts: readonly number[],
): Promise<Fate[]> {
  const fates: Fate[] = [];
  let from = 0;
  for (const length of [...cuts, records.length]) {
    const batch = compiled.mapAll(records.slice(from, from + length));
    from += length;
    if (batch.length === 0) continue;
    const reads = { read: tables.read.bind(tables) };
    resolveBatch(compiled, batch, await readStored(reads, compiled, batch));
    const { mutations, dead, skippedAt } = resolveBatch(compiled, batch, await readStored(reads, compiled, batch));
    tables.apply(mutations);
    const poison = new Map(dead.map((one) => [one.at, one.poison]));
    fates.push(...batch.map((_, at): Fate => poison.get(at) ?? (skippedAt.includes(at) ? 'skipped' : 'taken')));
  }
  return fates;
}
