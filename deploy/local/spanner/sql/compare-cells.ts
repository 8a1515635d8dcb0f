import type { Cell, SpannerType } from '../values.ts';
import { scaledNumeric } from './numeric.ts';

const SURROGATE = /[\ud800-\udfff]/;

/** Orders two values of one type as GoogleSQL does: NULL first, then NaN, then the rest; strings by code point. */
export function compareCells(type: SpannerType, one: Cell, other: Cell): number {
  if (one === null || other === null) return one === other ? 0 : one === null ? -1 : 1;
  if (typeof one === 'number' && typeof other === 'number') return compareFloats(one, other);
  if (Buffer.isBuffer(one) && Buffer.isBuffer(other)) return Buffer.compare(one, other);
  if (typeof one === 'string' && typeof other === 'string') {
    if (type.code === 'NUMERIC') return order(scaledNumeric(one), scaledNumeric(other));
    // UTF-16 and UTF-8 order alike but for surrogates.
    if (SURROGATE.test(one) || SURROGATE.test(other)) return Buffer.compare(Buffer.from(one), Buffer.from(other));
  }
  return order(one, other);
}

/** Whether values of the type can be ordered, grouped and compared here. */
export function isOrderable(type: SpannerType): boolean {
  return type.code !== 'ARRAY' && type.code !== 'STRUCT' && type.code !== 'JSON';
}

/** A text that two values of one type share exactly when GROUP BY puts them together. */
export function groupKey(cell: Cell): string {
  if (cell === null) return '-';
  if (typeof cell === 'string') return `${cell.length}:${cell}`;
  if (Buffer.isBuffer(cell)) return `${cell.length}:${cell.toString('latin1')}`;
  // Minus zero is zero to GROUP BY, and so it is to a template.
  return `${String(cell)};`;
}

function compareFloats(one: number, other: number): number {
  if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(other)) - Number(Number.isNaN(one));
  return order(one, other);
}

function order(one: NonNullable<Cell>, other: NonNullable<Cell>): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
