import type { ColumnSource } from '../config/declaration.ts';
import { fingerprint, fingerprintModulo } from '../tensors/fingerprint.ts';
import { PoisonError, shown } from './records/poison.ts';
import type { ScalarCode } from './tables/table-schema.ts';
import type { Cell } from './values/cell.ts';
import { timestampOfMs } from './values/timestamp.ts';

/** Types whose cells have one text in GoogleSQL too, so that a query can make the same bucket of them. */
export const hashedCodes: ReadonlySet<ScalarCode> = new Set<ScalarCode>([
  'BOOL',
  'INT64',
  'NUMERIC',
  'STRING',
  'DATE',
  'TIMESTAMP',
  'UUID',
]);

/** The low bits of an INT64 that BIT_REVERSE(x, true) turns around. */
const REVERSED_BITS = 63;

/** What a source does to a cell after it was read; undefined where it stays as it is. */
export function cellChange({ bitReverse, windowMs, column }: ColumnSource): ((cell: Cell) => Cell) | undefined {
  if (bitReverse) return (cell) => String(reverseBits(BigInt(String(cell))));
  if (windowMs !== undefined) return (cell) => windowStart(String(cell), windowMs, column);
  return undefined;
}

/** `BIT_REVERSE(value, true)` of GoogleSQL: the sign stays, the 63 bits below it are turned around. */
export function reverseBits(value: bigint): bigint {
  const bits = BigInt.asUintN(REVERSED_BITS, value).toString(2).padStart(REVERSED_BITS, '0');
  const reversed = BigInt(`0b${[...bits].reverse().join('')}`);
  return value < 0n ? reversed - (1n << BigInt(REVERSED_BITS)) : reversed;
}

/**
 * The beginning of the window that a TIMESTAMP lies in; windows follow each other from 1970-01-01T00:00:00Z on, before and
 * after.
 *
 * @throws {PoisonError} for a window that begins before the year 1, and for the commit's timestamp, which is not known yet
 */
export function windowStart(timestamp: string, windowMs: number, column: string): string {
  const seconds = Date.parse(`${timestamp.slice(0, 19)}Z`);
  const fraction = Number(timestamp.slice(20, -1).slice(0, 3).padEnd(3, '0'));
  const startMs = Math.floor((seconds + fraction) / windowMs) * windowMs;
  const start = Number.isNaN(startMs) ? undefined : timestampOfMs(startMs);
  if (start !== undefined) return start;
  throw new PoisonError('unmappable', `Column ${column}: ${shown(timestamp)} lies in no window`);
}

/**
 * The bucket of a row by the text of some of its cells, in `[0, buckets)`.
 *
 * In GoogleSQL: `ABS(MOD(FARM_FINGERPRINT(CONCAT(a, '\x00', b)), buckets))`, where each column is its text,
 * `COALESCE(CAST(a AS STRING), '')`, and a TIMESTAMP `FORMAT_TIMESTAMP('%E4Y-%m-%dT%H:%M:%E*SZ', a, 'UTC')`.
 */
export function hashBucket(cells: readonly (Cell | undefined)[], buckets: number): Cell {
  const text = cells.map((cell) => (cell === null || cell === undefined ? '' : String(cell))).join('\0');
  return String(fingerprintModulo(fingerprint(Buffer.from(text)), buckets));
}
