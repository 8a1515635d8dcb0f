import { maxKeyBytes } from '../../../base/limits.ts';
import type { Cell } from '../cell.ts';
import { keyText } from '../key-text.ts';

/** What Spanner counts for a key's cell that is no text. */
const SCALAR_BYTES = 8;

/**
 * The text of a row's key, as `keyText` makes it of the cells.
 *
 * @param starts where the key's cells begin in `out`, in the key's order
 * @returns undefined for a key that is too large
 */
export function writtenKeyText(out: Buffer, starts: Int32Array): string | undefined {
  if (starts.length === 1) {
    const at = starts[0] ?? 0;
    // A short string: element tag, length, string tag, length.
    const length = out[at + 3] ?? 0;
    if ((out[at + 1] ?? 0) < 0x80 && out[at + 2] === 0x1a) {
      return textAt(out, at + 4, length);
    }
  }
  const cells: Cell[] = [];
  let bytes = 0;
  for (const start of starts) {
    const cell = cellAt(out, start);
    cells.push(cell);
    bytes += typeof cell === 'string' ? Buffer.byteLength(cell) : SCALAR_BYTES;
  }
  return bytes > maxKeyBytes ? undefined : keyText(cells);
}

/** Up to this length, two short texts and their sum cost less than a call into the engine. */
const SHORT_TEXT = 12;
const HALF = 8;

function textAt(out: Buffer, from: number, length: number): string {
  let high = 0;
  if (length <= SHORT_TEXT) for (let at = from; at < from + length; at++) high |= out[at] ?? 0;
  if (length > SHORT_TEXT || high >= 0x80) return out.toString('utf8', from, from + length);
  return length <= HALF
    ? asciiAt(out, from, length)
    : asciiAt(out, from, HALF) + asciiAt(out, from + HALF, length - HALF);
}

/** Up to eight ASCII characters. */
function asciiAt(out: Buffer, at: number, length: number): string {
  const [a, b, c, d] = [out[at] ?? 0, out[at + 1] ?? 0, out[at + 2] ?? 0, out[at + 3] ?? 0];
  if (length < 4) return ascii3(a, b, c, length);
  if (length === 4) return String.fromCharCode(a, b, c, d);
  const [e, f, g, h] = [out[at + 4] ?? 0, out[at + 5] ?? 0, out[at + 6] ?? 0, out[at + 7] ?? 0];
  if (length === 8) return String.fromCharCode(a, b, c, d, e, f, g, h);
  if (length === 7) return String.fromCharCode(a, b, c, d, e, f, g);
  return length === 6 ? String.fromCharCode(a, b, c, d, e, f) : String.fromCharCode(a, b, c, d, e);
}

function ascii3(a: number, b: number, c: number, length: number): string {
  if (length === 0) return '';
  if (length === 1) return String.fromCharCode(a);
  return length === 2 ? String.fromCharCode(a, b) : String.fromCharCode(a, b, c);
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
