import { formatTimestamp, timeOf } from './timestamp.ts';
import { localToUtc } from './zone-offset.ts';

/** Reads text by one pattern; undefined when the text does not follow it, or names a time that does not exist. */
export type ReadTime = (text: string) => string | undefined;

type Field = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'fraction';
/** One part of a pattern: text as it stands, or a field of exactly so many digits. */
export type PatternStep = { readonly literal: string } | { readonly field: Field; readonly width: number };

const FIELDS: Readonly<Record<string, { readonly field: Field; readonly width: number } | undefined>> = {
  yyyy: { field: 'year', width: 4 },
  MM: { field: 'month', width: 2 },
  dd: { field: 'day', width: 2 },
  HH: { field: 'hour', width: 2 },
  mm: { field: 'minute', width: 2 },
  ss: { field: 'second', width: 2 },
};
const MAX_FRACTION_DIGITS = 9;

/**
 * Compiles a pattern of `yyyy MM dd HH mm ss S…` (1 to 9 digits of a second), quoted text and other signs.
 *
 * @param zone IANA name of the local time's zone; UTC when undefined
 * @returns the reading into Spanner's TIMESTAMP
 * @throws {RangeError} for a pattern without year, month and day, with unknown letters, or an unknown zone
 */
export function timestampPattern(pattern: string, zone: string | undefined): ReadTime {
  const steps = patternSteps(pattern);
  const toUtc = zone === undefined ? (localMs: number) => localMs : localToUtc(zone);
  return (text) => {
    const fields = readFields(steps, text);
    if (!fields) return undefined;
    const local = timeOf(fields.year, fields.month, fields.day, fields.hour, fields.minute, fields.second);
    return local === undefined ? undefined : formatTimestamp(toUtc(local), fields.fraction);
  };
}

/** As `timestampPattern`, into Spanner's DATE: the day as it is written. */
export function datePattern(pattern: string): ReadTime {
  const steps = patternSteps(pattern);
  return (text) => {
    const fields = readFields(steps, text);
    if (!fields) return undefined;
    const local = timeOf(fields.year, fields.month, fields.day, fields.hour, fields.minute, fields.second);
    return local === undefined ? undefined : formatTimestamp(local, '')?.slice(0, 10);
  };
}

/**
 * Takes a pattern apart.
 *
 * @throws {RangeError} as `timestampPattern`
 */
export function patternSteps(pattern: string): readonly PatternStep[] {
  const steps: PatternStep[] = [];
  const seen = new Set<Field>();
  for (const [token] of pattern.matchAll(/'(?:[^']*)'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    const step = stepOf(token, pattern);
    if ('field' in step) {
      if (seen.has(step.field)) throw new RangeError(`Pattern ${pattern} names the ${step.field} twice`);
      seen.add(step.field);
    }
    steps.push(step);
  }
  for (const field of ['year', 'month', 'day'] as const) {
    if (!seen.has(field)) throw new RangeError(`Pattern ${pattern} has no ${field} (yyyy, MM, dd)`);
  }
  return steps;
}

function stepOf(token: string, pattern: string): PatternStep {
  if (token === "''") return { literal: "'" };
  if (token.length > 1 && token.startsWith("'")) return { literal: token.slice(1, -1) };
  if (!/^[A-Za-z']/.test(token)) return { literal: token };
  if (/^S{1,9}$/.test(token)) return { field: 'fraction', width: token.length };
  const field = FIELDS[token];
  if (field) return field;
  throw new RangeError(
    `Pattern ${pattern} has ${token}; use yyyy MM dd HH mm ss S (1 to ${MAX_FRACTION_DIGITS}) and 'quoted text'`,
  );
}

interface Fields extends Record<Exclude<Field, 'fraction'>, number> {
  fraction: string;
}

function readFields(steps: readonly PatternStep[], text: string): Fields | undefined {
  const fields: Fields = { year: 1, month: 1, day: 1, hour: 0, minute: 0, second: 0, fraction: '' };
  let at = 0;
  for (const step of steps) {
    if ('literal' in step) {
      if (!text.startsWith(step.literal, at)) return undefined;
      at += step.literal.length;
      continue;
    }
    const end = at + step.width;
    const value = readDigits(text, at, end);
    if (value < 0) return undefined;
    if (step.field === 'fraction') fields.fraction = text.slice(at, end);
    else fields[step.field] = value;
    at = end;
  }
  return at === text.length ? fields : undefined;
}

/** The number between two places; -1 when anything but digits stands there. */
function readDigits(text: string, from: number, to: number): number {
  if (to > text.length) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
