import { printTimestamp } from '../engine/parse-time.ts';
import type { Cell, SpannerType } from '../values.ts';

/** A cell as the protocol carries it, before it becomes bytes. */
export type WireForm = null | boolean | number | string | readonly WireForm[];

/** INT64, TIMESTAMP and BYTES travel as strings, and so do the numbers that JSON has not. */
export function wireForm(cell: Cell, type: SpannerType): WireForm {
  if (cell === null || typeof cell === 'boolean' || typeof cell === 'string') return cell;
  if (typeof cell === 'bigint') return type.code === 'TIMESTAMP' ? printTimestamp(cell) : cell.toString();
  if (typeof cell === 'number') return Number.isFinite(cell) ? cell : printSpecial(cell);
  if (Buffer.isBuffer(cell)) return cell.toString('base64');
  const elements: readonly Cell[] = cell;
  return elements.map((element, i) => wireForm(element, elementType(type, i)));
}

function elementType(type: SpannerType, place: number): SpannerType {
  const found = type.code === 'ARRAY' ? type.element : type.code === 'STRUCT' ? type.fields[place]?.type : undefined;
  if (!found) throw new Error(`A ${type.code} has no element at ${place}`);
  return found;
}

function printSpecial(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}
