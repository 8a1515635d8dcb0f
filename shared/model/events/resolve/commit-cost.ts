import { maxMutationsPerCommit } from '../../../base/limits.ts';
import type { CompiledPipeline } from '../compile-pipeline.ts';
import type { CompiledTarget } from '../compile-target.ts';
import { deadLetterColumns, partCountOf } from '../records/dead-letter.ts';
import type { MappedRecord } from '../records/mapped-record.ts';
import { recordBytes } from '../records/raw-record.ts';
import type { Change } from './change.ts';
import { deletedVersionsColumns } from './deleted-versions.ts';

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
 * @param limits.maxRows the pipeline's own unless given
 */
export function prefixLength(
  compiled: CompiledPipeline,
  mapped: readonly MappedRecord[],
  from: number,
  limits?: { readonly maxRows: number },
): number {
  const { maxRows, maxBytes } = { ...compiled.pipeline.batch, ...limits };
  const costs = new Map(compiled.targets.map((target) => [target, costOf(target)]));
  let mutations = CONTROL_MUTATIONS;
  let bytes = 0;
  let at = from;
  for (; at < mapped.length && at - from < maxRows; at++) {
    const item = mapped[at];
    if (!item) break;
    const cost = item.target && costs.get(item.target);
    const letter = item.change.kind === 'poison';
    mutations += letter
      ? deadLetterColumns.length * partCountOf(item.record)
      : cost
        ? mutationsOf(cost, item.change)
        : 0;
    const cells = letter ? deadLetterColumns.length : (cost?.written ?? 0);
    bytes += Math.ceil(recordBytes(item.record) * BASE64_GROWTH) + cells * CELL_BYTES;
    if (at > from && (mutations > maxMutationsPerCommit || bytes > maxBytes)) break;
  }
  return at - from;
}

/** Mutations of one change of a table. */
interface Cost {
  readonly written: number;
  readonly indexEntries: number;
  readonly indexColumns: number;
  /** A guarded deletion's version, remembered or forgotten. */
  readonly remembered: number;
}

function costOf({ table, columns, aggregate, guardAt }: CompiledTarget): Cost {
  return {
    written: columns.length + (aggregate?.columns.length ?? 0),
    indexEntries: table.indexes.length,
    indexColumns: table.indexes.reduce((sum, index) => sum + 1 + index.columns.length + table.primaryKey.length, 0),
    remembered: guardAt < 0 ? 0 : deletedVersionsColumns.length + 1,
  };
}

function mutationsOf({ written, indexEntries, indexColumns, remembered }: Cost, { kind }: Change): number {
  if (kind === 'delete') return 1 + indexEntries + remembered;
  return kind === 'none' ? 0 : written + indexColumns + Math.min(1, remembered);
}
