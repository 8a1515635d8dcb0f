import type { Cell } from './cell.ts';

/** No STRING is ill-formed, so no other lone cell has this text. */
const LONE_NULL = '\ud800';

/** Equal exactly for equal keys: cells are canonical in every type that a key may have. */
export function keyText(cells: readonly Cell[]): string {
  const only = cells[0];
  if (cells.length !== 1) return JSON.stringify(cells);
  return typeof only === 'string' ? only : only === null ? LONE_NULL : JSON.stringify(cells);
}

/**
 * The cells that `keyText` made this text of.
 *
 * @param count how many columns the key has
 * @param isText whether a lone column's cells are strings, as in every type but BOOL, FLOAT32 and FLOAT64
 */
export function cellsOfKeyText(text: string, count: number, isText: boolean): readonly Cell[] {
  if (count === 1) {
    if (text === LONE_NULL) return [null];
    if (isText || !text.startsWith('[')) return [text];
  }
  const cells: unknown = JSON.parse(text);
  return Array.isArray(cells) ? cells.map(scalar) : [];
}

function scalar(value: unknown): Cell {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}
