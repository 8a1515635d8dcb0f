import type { Cell, SpannerType } from '../values.ts';
import { canonicalJson } from './canonical-json.ts';
import { canonicalNumeric } from './canonical-numeric.ts';
import { parseDate, parseTimestamp } from './parse-time.ts';
import type { WireValue } from './wire-value.ts';

const INT64_PATTERN = /^-?\d{1,19}$/;
const BASE64_PATTERN = /^[A-Za-z0-9+/]*={0,2}$/;
const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/** Reads a request's value as a cell of a type; undefined where it is not one. */
export function parseCell(value: WireValue, type: SpannerType): Cell | undefined {
  if (typeof value.stringValue === 'string') return parseText(value.stringValue, type);
  if (typeof value.numberValue === 'number') return parseNumber(value.numberValue, type);
  if (typeof value.boolValue === 'boolean') return type.code === 'BOOL' ? value.boolValue : undefined;
  if (value.listValue) return parseList(value.listValue.values ?? [], type);
  if (value.structValue) return undefined;
  return null;
}

function parseText(text: string, type: SpannerType): Cell | undefined {
  switch (type.code) {
    case 'STRING':
      return text;
    case 'INT64':
      return parseInt64(text);
    case 'TIMESTAMP':
      return parseTimestamp(text);
    case 'DATE':
      return parseDate(text);
    case 'BYTES':
      return parseBase64(text);
    case 'NUMERIC':
      return canonicalNumeric(text);
    case 'JSON':
      return canonicalJson(text);
    case 'UUID':
      return UUID_PATTERN.test(text) ? text.toLowerCase() : undefined;
    case 'FLOAT32':
    case 'FLOAT64':
      return parseSpecialFloat(text);
    default:
      return undefined;
  }
}

function parseNumber(value: number, type: SpannerType): Cell | undefined {
  if (type.code === 'FLOAT64') return value;
  if (type.code !== 'FLOAT32') return undefined;
  const rounded = Math.fround(value);
  return Number.isFinite(rounded) === Number.isFinite(value) ? rounded : undefined;
}

function parseList(values: readonly WireValue[], type: SpannerType): Cell | undefined {
  const cells: Cell[] = [];
  for (let i = 0; i < values.length; i++) {
    const element = type.code === 'ARRAY' ? type.element : type.code === 'STRUCT' ? type.fields[i]?.type : undefined;
    const value = values[i];
    const cell = element && value ? parseCell(value, element) : undefined;
    if (cell === undefined) return undefined;
    cells.push(cell);
  }
  if (type.code === 'STRUCT') return cells.length === type.fields.length ? cells : undefined;
  return type.code === 'ARRAY' ? cells : undefined;
}

function parseInt64(text: string): bigint | undefined {
  if (!INT64_PATTERN.test(text)) return undefined;
  const value = BigInt(text);
  return value >= MIN_INT64 && value <= MAX_INT64 ? value : undefined;
}

function parseBase64(text: string): Buffer | undefined {
  return text.length % 4 === 0 && BASE64_PATTERN.test(text) ? Buffer.from(text, 'base64') : undefined;
}

function parseSpecialFloat(text: string): number | undefined {
  if (text === 'NaN') return Number.NaN;
  if (text === 'Infinity') return Number.POSITIVE_INFINITY;
  return text === '-Infinity' ? Number.NEGATIVE_INFINITY : undefined;
}
