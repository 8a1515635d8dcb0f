import { pick, type TableStore } from '../storage/stores.ts';
import type { Cell } from '../values.ts';
import { printTimestamp } from './parse-time.ts';

/** A status travels in HTTP headers, which are short. */
const MAX_CHARACTERS = 200;

/** A row's key for an error message, as `[1,abc]`. */
export function printKey(store: TableStore, cells: readonly Cell[]): string {
  return printCells(
    pick(cells, store.keyAt),
    store.key.map((column) => column.type.code),
  );
}

/** Key cells for an error message. */
export function printCells(cells: readonly Cell[], codes: readonly string[]): string {
  return `[${cells.map((cell, i) => printCell(cell, codes[i])).join(',')}]`;
}

function printCell(cell: Cell, code: string | undefined): string {
  if (cell === null) return 'NULL';
  if (code === 'TIMESTAMP' && typeof cell === 'bigint') return printTimestamp(cell);
  const text = Buffer.isBuffer(cell) ? cell.toString('base64') : String(cell);
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
}
