import type { ColumnBlock } from '../tensors/column-vector.ts';
import { concatBlocks } from '../tensors/concat-blocks.ts';
import { pickRows } from '../tensors/pick-rows.ts';
import { growingKeys } from './growing-keys.ts';
import { compareKeys, type Key, type KeyColumn } from './key.ts';
import { keyAt } from './key-at.ts';

/**
 * Puts rows that came in some order, in parts that came in some order, into that of their keys.
 *
 * @param parts blocks of the same columns, those of the key first
 * @returns undefined where there are no rows
 * @throws {PenstockError} with code `KEY_NOT_UNIQUE` when a row came twice
 */
export function orderRows(parts: readonly ColumnBlock[], key: readonly KeyColumn[]): ColumnBlock | undefined {
  const first = (block: ColumnBlock): Key => keyAt(block, key.length, 0);
  const full = parts.filter(({ rowCount }) => rowCount > 0);
  // Mostly each part is in order, and all of it before or behind another: then nothing is left to do.
  const sorted = full.toSorted((one, other) => compareKeys(key, first(one), first(other)));
  if (sorted.length === 0) return undefined;
  const whole = inOrder(concatBlocks(sorted), key);
  growingKeys({ name: 'a partitioned read', key })(whole);
  return whole;
}

function inOrder(block: ColumnBlock, key: readonly KeyColumn[]): ColumnBlock {
  const keys = Array.from({ length: block.rowCount }, (_, row) => keyAt(block, key.length, row));
  const isSorted = keys.every((one, row) => row === 0 || compareKeys(key, keys[row - 1] ?? one, one) < 0);
  if (isSorted) return block;
  const order = Int32Array.from(keys, (_, row) => row).sort((one, other) =>
    compareKeys(key, keys[one] ?? [], keys[other] ?? []),
  );
  return { rowCount: block.rowCount, columns: block.columns.map((vector) => pickRows(vector, order)) };
}

/** Cuts rows that come in blocks of any size into blocks of one size. */
export class Reblocker {
  readonly #blockRows: number;
  #rest: ColumnBlock | undefined;

  constructor(blockRows: number) {
    this.#blockRows = blockRows;
  }

  /** @returns the blocks that became full */
  push(block: ColumnBlock): ColumnBlock[] {
    const all = this.#rest ? concatBlocks([this.#rest, block]) : block;
    const full: ColumnBlock[] = [];
    let from = 0;
    for (; all.rowCount - from >= this.#blockRows; from += this.#blockRows)
      full.push(slice(all, from, this.#blockRows));
    this.#rest = from === all.rowCount ? undefined : slice(all, from, all.rowCount - from);
    return full;
  }

  /** The rows left over. */
  finish(): ColumnBlock | undefined {
    return this.#rest;
  }
}

function slice(block: ColumnBlock, from: number, rowCount: number): ColumnBlock {
  if (from === 0 && rowCount === block.rowCount) return block;
  const rows = Int32Array.from({ length: rowCount }, (_, row) => from + row);
  return { rowCount, columns: block.columns.map((vector) => pickRows(vector, rows)) };
}
