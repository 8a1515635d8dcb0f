import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Column } from '../schema.ts';
import type { Cell } from '../values.ts';

const MAX_CELL_BYTES = 10 * 1024 * 1024;
const MAX_STRING_CHARACTERS = 2_621_440;
const FIXED_BYTES = 8;

/** Refuses a value that is longer than its column allows, or than any cell may be (10 MiB). */
export function checkCellSize(table: string, column: Column, cell: Cell): void {
  if (typeof cell === 'bigint' || typeof cell === 'number' || typeof cell === 'boolean') return;
  checkLength(table, column, cell);
  // UTF-8 needs at most 3 bytes for each UTF-16 unit: most strings need no second look.
  if (typeof cell === 'string' && cell.length * 3 <= MAX_CELL_BYTES) return;
  const bytes = byteSize(cell);
  if (bytes > MAX_CELL_BYTES) throw sizeError(table, column, bytes, MAX_CELL_BYTES);
}

function checkLength(table: string, column: Column, cell: Cell): void {
  if (Array.isArray(cell)) {
    for (const element of cell) checkLength(table, column, element);
    return;
  }
  const isString = typeof cell === 'string' && leafCode(column) === 'STRING';
  const limit = column.maxLength ?? (isString ? MAX_STRING_CHARACTERS : MAX_CELL_BYTES);
  if (isString) {
    if (cell.length <= limit) return;
    const characters = characterCount(cell);
    if (characters > limit) throw sizeError(table, column, characters, limit);
  } else if (Buffer.isBuffer(cell) && cell.length > limit) {
    throw sizeError(table, column, cell.length, limit);
  }
}

function byteSize(cell: Cell): number {
  if (typeof cell === 'string') return Buffer.byteLength(cell);
  if (Buffer.isBuffer(cell)) return cell.length;
  return Array.isArray(cell) ? cell.reduce((sum: number, element: Cell) => sum + byteSize(element), 0) : FIXED_BYTES;
}

function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function leafCode(column: Column): string {
  return column.type.code === 'ARRAY' ? column.type.element.code : column.type.code;
}

function sizeError(table: string, column: Column, size: number, limit: number): RpcError {
  return new RpcError(
    status.FAILED_PRECONDITION,
    `New value exceeds the maximum size limit for this column in this database: ${table}.${column.name}, size: ${size}, limit: ${limit}.`,
  );
}
