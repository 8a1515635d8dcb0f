import type { CompiledPipeline } from '../compile-pipeline.ts';
import type { MappedRecord } from '../records/mapped-record.ts';
import { findColumn } from '../tables/column-plan.ts';
import type { Cell } from '../values/cell.ts';
import { cellsOfKeyText } from '../values/key-text.ts';
import type { Change, RowKey } from './change.ts';
import { type WrittenTable, writtenTables } from './written-tables.ts';

/** What the database holds of one key. */
export interface StoredRow {
  readonly isPresent: boolean;
  /**
   * The cells of the columns that were asked for. Of a row that is not there: the guard's cell alone, the version by which
   * it was deleted; undefined where that is not known.
   */
  readonly cells: readonly Cell[] | undefined;
}

/** Rows by the text of their key; a key that was asked for and has no entry is not there. */
export type StoredRows = ReadonlyMap<string, StoredRow>;

/** What each table holds for the keys of a batch. */
export type StoredTables = ReadonlyMap<WrittenTable, StoredRows>;

/** Rows of one table that must be read, under the transaction's locks, before a batch can be resolved. */
export interface WantedRows {
  readonly written: WrittenTable;
  readonly keys: readonly RowKey[];
  /** The columns to read after the key's. */
  readonly columns: readonly string[];
}

/** What must be read for these records; nothing for modes that overwrite whatever is there. */
export function rowsToRead({ targets }: CompiledPipeline, mapped: readonly MappedRecord[]): readonly WantedRows[] {
  const tables = writtenTables(targets);
  if (!targets.some((target) => tables.of(target)?.writer.readsFirst)) return [];
  const wanted = new Map<WrittenTable, Map<string, RowKey>>();
  for (const { target, change } of mapped) {
    const place = target && tables.of(target);
    if (!place?.writer.readsFirst) continue;
    const key = keyOfChange(place.written, change);
    if (!key) continue;
    const keys = wanted.get(place.written) ?? new Map<string, RowKey>();
    wanted.set(place.written, keys.set(key.text, key));
  }
  return [...wanted].map(([written, keys]) => ({
    written,
    keys: [...keys.values()],
    columns: written.tracked.flatMap((at) => written.columns[at]?.name ?? []),
  }));
}

/** The key of the row that a change is about; undefined for a change of no row. */
export function keyOfChange(written: WrittenTable, change: Change): RowKey | undefined {
  if (change.kind === 'none' || change.kind === 'poison') return undefined;
  if (change.kind !== 'encoded') return change.key;
  return { cells: keyCells(written, change.keyText), text: change.keyText };
}

/** The key's cells, of its text. */
export function keyCells({ table }: WrittenTable, text: string): readonly Cell[] {
  const code = findColumn(table, table.primaryKey[0] ?? '')?.type?.code;
  return cellsOfKeyText(text, table.primaryKey.length, code !== 'BOOL' && code !== 'FLOAT32' && code !== 'FLOAT64');
}
