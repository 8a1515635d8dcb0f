import type { ScalarCode } from '../tables/table-schema.ts';
import type { Cell } from './cell.ts';
import { toNumericUnits } from './decimal.ts';

/** Types with an order that a guard, a minimum or a maximum can use. */
export const orderedCodes: ReadonlySet<ScalarCode> = new Set<ScalarCode>([
  'INT64',
  'FLOAT32',
  'FLOAT64',
  'NUMERIC',
  'STRING',
  'DATE',
  'TIMESTAMP',
]);

/**
 * Compares two cells of one type as Spanner orders them; NULL is before everything, NaN next.
 *
 * @returns negative, 0 or positive
 */
export function compareCells(code: ScalarCode, left: Cell, right: Cell): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? -1 : 1;
  switch (code) {
    case 'INT64':
      return compare(BigInt(String(left)), BigInt(String(right)));
    case 'NUMERIC':
      return compare(toNumericUnits(String(left)), toNumericUnits(String(right)));
    case 'FLOAT32':
    case 'FLOAT64':
      return compareFloats(Number(left), Number(right));
    case 'TIMESTAMP':
      return compare(sortableTimestamp(String(left)), sortableTimestamp(String(right)));
    case 'STRING':
      return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
    default:
      return compare(String(left), String(right));
  }
}

function compare<T extends bigint | string | number>(left: T, right: T): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareFloats(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(right)) - Number(Number.isNaN(left));
  return compare(left, right);
}

/** Seconds, then all nine digits of the fraction. */
function sortableTimestamp(text: string): string {
  return text.slice(0, 19) + text.slice(20, -1).padEnd(9, '0');
}
