import type { TokenCursor } from './token-cursor.ts';

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;
const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 86_400_000;

/** Parses a version_retention_period: '1h' to '7d', or NULL for the default of one hour; in milliseconds. */
export function parseRetention(cursor: TokenCursor): number {
  if (cursor.take('NULL')) return HOUR_MS;
  const text = cursor.expectLiteral('version_retention_period');
  const match = /^([0-9]{1,9})([smhd])$/.exec(text);
  const unitMs = UNITS.find(([unit]) => unit === match?.[2])?.[1];
  const periodMs = Number(match?.[1]) * (unitMs ?? Number.NaN);
  if (!(periodMs >= HOUR_MS && periodMs <= WEEK_MS)) {
    throw cursor.error(`Invalid version_retention_period '${text}': use '1h' to '7d', in s, m, h or d`);
  }
  return periodMs;
}

/** The shortest text that parses to this many milliseconds; they must be whole seconds. */
export function printRetention(periodMs: number): string {
  const [unit, unitMs] = UNITS.find(([, size]) => periodMs % size === 0) ?? ['s', 1000];
  return `${periodMs / unitMs}${unit}`;
}
