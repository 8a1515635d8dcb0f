import { maxMutationsPerCommit } from '../../base/limits.ts';
import type { Change } from './change.ts';
import type { CompiledPipeline } from './compile-pipeline.ts';
import { deadLetterColumns, partCountOf } from './dead-letter.ts';
import { type RawRecord, recordBytes } from './raw-record.ts';

/** A record and what it asks of the table. */
export interface MappedRecord {
  readonly record: RawRecord;
  readonly change: Change;
}

/** Checkpoint and lineage, with room to spare. */
const CONTROL_MUTATIONS = 64;
/** A cell's own bytes in the protocol, beyond its value's. */
const CELL_BYTES = 12;
/** Base64 makes four of three. */
const BASE64_GROWTH = 4 / 3;

/**
 * How many records, from the first on, go into one commit: at least one, and no more than its limits allow.
 *
 * Mutations are counted from above: a write counts its columns and, for each index, the entry removed and the columns of
 * the entry added; a deletion one and one for each index. Source: cloud.google.com/spanner/quotas#limits-for.
 *
 * @param from index of the first record
 */
export function prefixLength(compiled: CompiledPipeline, mapped: readonly MappedRecord[], from: number): number {
  const { maxRows, maxBytes } = compiled.pipeline.batch;
  const cost = costOf(compiled);
  let mutations = CONTROL_MUTATIONS;
  let bytes = 0;
  let at = from;
  for (; at < mapped.length && at - from < maxRows; at++) {
    const item = mapped[at];
    if (!item) break;
    mutations += cost.mutations(item);
    bytes += cost.bytes(item);
    if (at > from && (mutations > maxMutationsPerCommit || bytes > maxBytes)) break;
  }
  return at - from;
}

interface Cost {
  mutations(item: MappedRecord): number;
  bytes(item: MappedRecord): number;
}

function costOf(compiled: CompiledPipeline): Cost {
  const { table, columns, aggregate } = compiled;
  const indexEntries = table.indexes.length;
  const indexColumns = table.indexes.reduce(
    (sum, index) => sum + 1 + index.columns.length + table.primaryKey.length,
    0,
  );
  const written = columns.length + (aggregate?.columns.length ?? 0);
  return {
    mutations({ change, record }) {
      if (change.kind === 'write' || change.kind === 'add') return written + indexColumns;
      if (change.kind === 'delete') return 1 + indexEntries;
      return change.kind === 'poison' ? deadLetterColumns.length * partCountOf(record) : 0;
    },
    bytes({ change, record }) {
      const cells = change.kind === 'poison' ? deadLetterColumns.length : written;
      return Math.ceil(recordBytes(record) * BASE64_GROWTH) + cells * CELL_BYTES;
    },
  };
}
