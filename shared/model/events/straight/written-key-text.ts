import { maxKeyBytes } from '../../../base/limits.ts';
import type { Cell } from '../values/cell.ts';
import { keyText } from '../values/key-text.ts';

/** What Spanner counts for a key's cell that is no text. */
const SCALAR_BYTES = 8;

/** What stands before a short text: element tag, length, string tag, length. */
export const SHORT_TEXT_HEAD = 4;

/** Whether the cell that begins here is a text of less than 126 bytes. */
export function isShortText(out: Buffer, start: number): boolean {
  return (out[start + 1] ?? 0) < 0x80 && out[start + 2] === 0x1a;
}

/**
 * The text of a row's key, as `keyText` makes it of the cells.
 *
 * @param starts where the key's cells begin in `out`, in the key's order
 * @returns undefined for a key that is too large
 */
export function writtenKeyText(out: Buffer, starts: Int32Array): string | undefined {
  const cells: Cell[] = [];
  let bytes = 0;
  for (const start of starts) {
    const cell = cellAt(out, start);
    cells.push(cell);
    bytes += typeof cell === 'string' ? Buffer.byteLength(cell) : SCALAR_BYTES;
  }
  return bytes > maxKeyBytes ? undefined : keyText(cells);
}

/** Reads a scalar cell back. */
function cellAt(out: Buffer, start: number): Cell {
  let at = start + 1;
  while ((out[at] ?? 0) >= 0x80) at++;
  at++;
  switch (out[at++]) {
    case 0x08:
      return null;
    case 0x20:
      return out[at] === 1;
    case 0x11:
      return out.readDoubleLE(at);
    default: {
      let length = 0;
      let shift = 0;
      for (; (out[at] ?? 0) >= 0x80; shift += 7) length |= ((out[at++] ?? 0) & 127) << shift;
      length |= (out[at++] ?? 0) << shift;
      return out.toString('utf8', at, at + length);
    }
  }
}
