import type { Cell } from './cell.ts';

/** Equal exactly for equal keys: cells are canonical in every type that a key may have. */
export function keyText(cells: readonly Cell[]): string {
  const only = cells[0];
  return cells.length === 1 && typeof only === 'string' ? only : JSON.stringify(cells);
}
