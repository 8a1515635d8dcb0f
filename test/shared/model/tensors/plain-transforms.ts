import type { Plain } from './plain-columns.ts';
import { plainFingerprint } from './plain-fingerprint.ts';

/** A fitted transform as a program that knows nothing but the documented JSON reads it. */
export type FittedJson = Readonly<Record<string, unknown>> & { readonly tensor: string; readonly column: string };

/** What one row gives: a number for each place, by the tensor's name. */
export type PlainTensors = Readonly<Record<string, readonly (number | bigint)[]>>;

type Row = Readonly<Record<string, Plain>>;

/** Applies one transform to one row, as docs/transforms.md says; written apart from the code it checks. */
export function applyPlainly(json: FittedJson, row: Row): PlainTensors {
  const value = row[json.column] ?? null;
  const name = json.tensor;
  const mask = `${name}_mask`;
  const hasFill = json.fillNull !== null && json.fillNull !== undefined;
  const masked = (values: readonly (number | bigint)[], isThere: boolean): PlainTensors =>
    hasFill ? { [name]: values, [mask]: [isThere ? 1 : 0] } : { [name]: values };
  const fill = json.fillNull as number;
  switch (json.kind) {
    case 'cast':
      return masked([cast(String(json.as), value === null ? fill : toNumber(value))], value !== null);
    case 'scaled':
      return masked(
        [narrow(String(json.as), value === null ? BigInt(fill) : scaled(String(value), Number(json.scale)))],
        value !== null,
      );
    case 'days':
      return masked(
        [cast(String(json.as), value === null ? fill : new Date(`${value}T00:00:00Z`).getTime() / 86_400_000)],
        value !== null,
      );
    case 'instant':
      return masked(
        [value === null ? BigInt(fill) : floorDivide(value as bigint, unitNanos[String(json.unit)] ?? 1n)],
        value !== null,
      );
    case 'part': {
      const part = value === null ? fill : partOf(String(json.part), value, String(json.zone));
      if (json.oneHot === null) return masked([part], value !== null);
      return masked(oneHot(part - (firstPlaces[String(json.part)] ?? 0), Number(json.oneHot)), value !== null);
    }
    case 'normalise': {
      const number = value === null ? Number.NaN : Number(toNumber(value));
      const isThere = Number.isFinite(number);
      return masked([Math.fround(((isThere ? number : fill) - Number(json.offset)) / Number(json.scale))], isThere);
    }
    case 'bucket': {
      const bounds = json.bounds as number[];
      const number = value === null ? Number.NaN : Number(toNumber(value));
      const isThere = !Number.isNaN(number);
      const id = bounds.filter((bound) => bound <= (isThere ? number : fill)).length;
      return masked(json.oneHot === true ? oneHot(id, bounds.length + 1) : [id], isThere);
    }
    case 'vocabulary': {
      const values = json.values as string[];
      const unknown = Number(json.unknown);
      const idOf = (text: string): number => {
        const place = values.indexOf(text);
        if (place >= 0) return unknown + place;
        return unknown === 1 ? 0 : modulo(Buffer.from(text), unknown);
      };
      let id = 0;
      if (value !== null) id = idOf(String(value));
      else if (hasFill) id = idOf(String(json.fillNull));
      return masked(json.oneHot === true ? oneHot(id, unknown + values.length) : [id], value !== null);
    }
    case 'hash': {
      const cross = json.cross as { column: string } | null;
      const parts = cross === null ? [value] : [value, row[cross.column] ?? null];
      const isThere = parts.every((part) => part !== null);
      const bytes = isThere
        ? Buffer.concat(parts.flatMap((part, at) => (at === 0 ? [bytesOf(part)] : [Buffer.of(0x1f), bytesOf(part)])))
        : Buffer.from(String(json.fillNull));
      const id = modulo(bytes, Number(json.buckets));
      return masked(json.oneHot === true ? oneHot(id, Number(json.buckets)) : [id], isThere);
    }
    case 'text': {
      const length = Number(json.length);
      const whole = bytesOf(value ?? String(json.fillNull));
      const bytes = json.type === 'BYTES' ? whole.subarray(0, length) : firstCharacters(whole.toString(), length);
      const padded = [...bytes, ...Array.from({ length: length - bytes.length }, () => 0)];
      return { ...masked(padded, value !== null), [`${name}_length`]: [bytes.length] };
    }
    case 'list':
      return list(json, value as readonly (number | bigint | boolean | null)[] | null);
    case 'label':
      return { [name]: [label(json.greaterThan as number | null, value)] };
    case 'weight': {
      const classes = json.classes as { greaterThan: number | null; weights: [number, number][] } | null;
      if (classes === null) return { [name]: [Math.fround(Number(toNumber(value)))] };
      const found = classes.weights.find(([of]) => of === label(classes.greaterThan, value));
      return { [name]: [Math.fround(found?.[1] ?? Number.NaN)] };
    }
    default:
      throw new Error(`An unknown kind ${String(json.kind)}`);
  }
}

/** As many whole characters as fit. */
function firstCharacters(text: string, length: number): Buffer {
  let kept = '';
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > length) break;
    kept += character;
  }
  return Buffer.from(kept);
}

function list(json: FittedJson, value: readonly (number | bigint | boolean | null)[] | null): PlainTensors {
  const length = Number(json.length);
  const items = (value ?? []).slice(0, length);
  const fill = json.fillNull as number | null;
  const behind = (json.pad as number | null) ?? fill ?? 0;
  const as = String(json.as);
  const numbers = Array.from({ length }, (_, at) => {
    if (at >= items.length) return cast(as, behind);
    const item = items[at] ?? null;
    return cast(as, item === null ? (fill ?? 0) : toNumber(item));
  });
  const mask = Array.from({ length }, (_, at) => ((items[at] ?? null) === null ? 0 : 1));
  const tensors: Record<string, readonly (number | bigint)[]> = { [json.tensor]: numbers };
  if (json.pad !== null || fill !== null) tensors[`${json.tensor}_mask`] = mask;
  if (json.pad !== null) tensors[`${json.tensor}_length`] = [items.length];
  return tensors;
}

const unitNanos: Readonly<Record<string, bigint>> = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n };
const firstPlaces: Readonly<Record<string, number>> = {
  quarter: 1,
  month: 1,
  isoWeek: 1,
  day: 1,
  dayOfYear: 1,
  year: 1,
};

function toNumber(value: Plain): number | bigint {
  if (typeof value === 'bigint') return value;
  return Number(value);
}

function cast(as: string, value: number | bigint): number | bigint {
  if (as === 'int64') return BigInt(value);
  const number = Number(value);
  if (as === 'float32') return Math.fround(number);
  if (as === 'bool') return number === 0 ? 0 : 1;
  return number;
}

function narrow(as: string, value: bigint): number | bigint {
  return as === 'int64' ? value : Number(value);
}

function scaled(text: string, scale: number): bigint {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const magnitude = BigInt(whole) * 10n ** BigInt(scale) + BigInt(fraction.padEnd(9, '0').slice(0, scale) || '0');
  return text.startsWith('-') ? -magnitude : magnitude;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

function oneHot(place: number, width: number): number[] {
  return Array.from({ length: width }, (_, at) => (at === place ? 1 : 0));
}

function modulo(bytes: Uint8Array, by: number): number {
  const rest = plainFingerprint(bytes) % BigInt(by);
  return Number(rest < 0n ? -rest : rest);
}

function bytesOf(value: Plain): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value));
}

function label(greaterThan: number | null, value: Plain): number {
  const number = Number(toNumber(value));
  return greaterThan === null ? Math.fround(number) : Number(number > greaterThan);
}

/** Date.UTC takes years before 100 for those of the last century. */
function utc(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  return date.getTime();
}

/** By way of ICU's own calendar fields, one at a time. */
function partOf(part: string, value: Plain, zone: string): number {
  const nanos = typeof value === 'bigint' ? value : BigInt(Date.parse(`${String(value)}T00:00:00Z`)) * 1_000_000n;
  const within = Number(((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  if (part === 'nanosecond') return within;
  if (part === 'microsecond') return Math.trunc(within / 1_000);
  if (part === 'millisecond') return Math.trunc(within / 1_000_000);
  const format = new Intl.DateTimeFormat('en-US-u-ca-iso8601', {
    timeZone: typeof value === 'bigint' ? zone : 'UTC',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const fields = Object.fromEntries(
    format.formatToParts(Number(floorDivide(nanos, 1_000_000n))).map(({ type, value: text }) => [type, Number(text)]),
  );
  const { year = 0, month = 0, day = 0 } = fields;
  const date = utc(year, month - 1, day);
  const days = (from: number): number => Math.round((date - from) / 86_400_000);
  const weekday = (new Date(date).getUTCDay() + 6) % 7;
  if (part === 'weekday') return weekday;
  if (part === 'quarter') return Math.ceil(month / 3);
  if (part === 'dayOfYear') return days(utc(year, 0, 1)) + 1;
  if (part === 'week') {
    // The Sundays of the year up to this day.
    return Array.from({ length: days(utc(year, 0, 1)) + 1 }, (_, at) =>
      new Date(utc(year, 0, 1 + at)).getUTCDay(),
    ).filter((of) => of === 0).length;
  }
  const thursday = new Date(date + (3 - weekday) * 86_400_000);
  if (part === 'isoYear') return thursday.getUTCFullYear();
  if (part === 'isoWeek')
    return Math.floor((thursday.getTime() - utc(thursday.getUTCFullYear(), 0, 1)) / 604_800_000) + 1;
  return fields[part] ?? Number.NaN;
}
