import { deserialize, serialize } from 'node:v8';
import type { Cell } from '../values.ts';

/** One row as a commit left it: its table in lower case, its encoded key, its cells (undefined: deleted). */
export type JournalRow = readonly [table: string, key: string, cells: readonly Cell[] | undefined];

/** What the server writes down, in the order in which it happened. */
export type JournalRecord =
  | { readonly kind: 'instance'; readonly name: string; readonly config: string; readonly displayName: string }
  | { readonly kind: 'drop-instance'; readonly name: string }
  | { readonly kind: 'database'; readonly name: string; readonly createdAt: number }
  | { readonly kind: 'drop-database'; readonly name: string }
  | {
      readonly kind: 'ddl';
      readonly database: string;
      readonly timestamp: number;
      readonly statement: string;
      /** What existing rows became by the statement, such as the DEFAULT of a new column. */
      readonly fillRows: readonly JournalRow[];
    }
  | {
      readonly kind: 'commit';
      readonly database: string;
      readonly timestamp: number;
      /** So that a Commit repeated after a restart finds that it has happened. */
      readonly transaction: string | undefined;
      readonly rows: readonly JournalRow[];
    }
  | {
      readonly kind: 'session';
      readonly name: string;
      readonly multiplexed: boolean;
      readonly role?: string | undefined;
      readonly createdAt: number;
    }
  | { readonly kind: 'drop-session'; readonly name: string };

export function encodeRecord(record: JournalRecord): Buffer {
  return serialize(record);
}

/** Reads a record back; nothing of it points into `bytes`. */
export function decodeRecord(bytes: Buffer): JournalRecord {
  const record = deserialize(bytes) as JournalRecord;
  if (record.kind === 'commit') return { ...record, rows: record.rows.map(detachRow) };
  return record.kind === 'ddl' ? { ...record, fillRows: record.fillRows.map(detachRow) } : record;
}

function detachRow([table, key, cells]: JournalRow): JournalRow {
  return [table, key, cells?.map(detach)];
}

/** v8 gives Buffers as views of the whole file: copied, they do not keep it in memory. */
function detach(cell: Cell): Cell {
  if (Buffer.isBuffer(cell)) return Buffer.from(cell);
  return Array.isArray(cell) ? cell.map(detach) : cell;
}
