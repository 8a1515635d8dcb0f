import type { CompiledPipeline } from '../../../model/events/compile-pipeline.ts';
import type { MappedRecord } from '../../../model/events/records/mapped-record.ts';
import type { RowKey } from '../../../model/events/resolve/change.ts';
import {
  burialKey,
  buriedRow,
  deletedVersionsColumns,
  deletedVersionsTable,
} from '../../../model/events/resolve/deleted-versions.ts';
import {
  rowsToRead,
  type StoredRow,
  type StoredRows,
  type StoredTables,
  type WantedRows,
} from '../../../model/events/resolve/stored-rows.ts';
import type { WrittenTable } from '../../../model/events/resolve/written-tables.ts';
import { findColumn } from '../../../model/events/tables/column-plan.ts';
import type { TableColumn } from '../../../model/events/tables/table-schema.ts';
import type { Cell } from '../../../model/events/values/cell.ts';
import { readDecimal, toNumeric } from '../../../model/events/values/decimal.ts';
import { keyText } from '../../../model/events/values/key-text.ts';
import { readTimestamp } from '../../../model/events/values/timestamp.ts';
import type { TransactionReads } from '../run-transaction.ts';

/** Reads what guards, aggregates and policies build on, in each of the pipeline's tables. */
export async function readStored(
  reads: TransactionReads,
  compiled: CompiledPipeline,
  mapped: readonly MappedRecord[],
): Promise<StoredTables> {
  const stored = new Map<WrittenTable, StoredRows>();
  for (const wanted of rowsToRead(compiled, mapped)) stored.set(wanted.written, await readTable(reads, wanted));
  return stored;
}

async function readTable(reads: TransactionReads, { written, keys, columns }: WantedRows): Promise<StoredRows> {
  const stored = new Map<string, StoredRow>();
  const { name, primaryKey } = written.table;
  const keyColumns = primaryKey.map((column) => findColumn(written.table, column));
  const cells = keys.map((key) => key.cells);
  for (const row of await reads.read(name, cells, [...primaryKey, ...columns])) {
    const key = row.slice(0, primaryKey.length).map((cell, at) => canonical(keyColumns[at], cell));
    stored.set(keyText(key), { isPresent: true, cells: row.slice(primaryKey.length) });
  }
  if (written.guardAt >= 0) await readDeleted(reads, written, keys, stored);
  return stored;
}

/** The versions by which rows that are not there were deleted. */
async function readDeleted(
  reads: TransactionReads,
  written: WrittenTable,
  keys: readonly RowKey[],
  stored: Map<string, StoredRow>,
): Promise<void> {
  const absent = new Map<Cell, string>();
  const wanted = keys.flatMap((key) => {
    if (stored.has(key.text)) return [];
    const place = burialKey(written, key);
    absent.set(place[1], key.text);
    return [place];
  });
  for (const row of await reads.read(deletedVersionsTable, wanted, deletedVersionsColumns)) {
    const [, hash = null, guard = null, version = null] = row;
    const text = absent.get(hash);
    const buried = buriedRow(written, guard, version);
    if (text !== undefined && buried) stored.set(text, buried);
  }
}

/** A key's cell in the form that our own readers give it. */
function canonical(column: TableColumn | undefined, cell: Cell): Cell {
  if (typeof cell !== 'string') return cell;
  if (column?.type?.code === 'TIMESTAMP') return readTimestamp(cell) ?? cell;
  if (column?.type?.code !== 'NUMERIC') return cell;
  const decimal = readDecimal(cell);
  return (decimal && toNumeric(decimal)) ?? cell;
}
