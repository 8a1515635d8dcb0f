import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import { canonicalJson } from '../engine/canonical-json.ts';
import { canonicalNumeric } from '../engine/canonical-numeric.ts';
import { parseDate, parseTimestamp } from '../engine/parse-time.ts';
import type { Cell, SpannerType } from '../values.ts';

/** A google.protobuf.Value as plain JavaScript, as parameters travel. */
export type WireValue = null | boolean | number | string | readonly WireValue[];

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Reads a parameter's value by its type.
 *
 * @throws {RpcError} INVALID_ARGUMENT naming value and type
 */
export function parseWireValue(type: SpannerType, value: WireValue): Cell {
  if (value === null) return null;
  const cell = parse(type, value);
  if (cell !== undefined) return cell;
  const shown = JSON.stringify(value);
  const short = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  throw new RpcError(status.INVALID_ARGUMENT, `Could not parse ${short} as ${type.code}`);
}

function parse(type: SpannerType, value: Exclude<WireValue, null>): Cell | undefined {
  if (type.code === 'BOOL') return typeof value === 'boolean' ? value : undefined;
  if (type.code === 'FLOAT64' || type.code === 'FLOAT32') return parseFloatValue(value);
  if (type.code === 'ARRAY') {
    return Array.isArray(value) ? value.map((element: WireValue) => parseWireValue(type.element, element)) : undefined;
  }
  if (type.code === 'STRUCT') {
    if (!Array.isArray(value) || value.length !== type.fields.length) return undefined;
    return type.fields.map((field, position) => parseWireValue(field.type, value[position] ?? null));
  }
  return typeof value === 'string' ? parseText(type.code, value) : undefined;
}

function parseText(code: SpannerType['code'], text: string): Cell | undefined {
  switch (code) {
    case 'INT64': {
      const value = /^[+-]?\d{1,20}$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
      return value !== undefined && value >= MIN_INT64 && value <= MAX_INT64 ? value : undefined;
    }
    case 'NUMERIC':
      return canonicalNumeric(text);
    case 'BYTES':
      return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
    case 'DATE':
      return parseDate(text);
    case 'TIMESTAMP':
      return parseTimestamp(text);
    case 'JSON':
      return canonicalJson(text);
    case 'UUID':
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined;
    default:
      return text;
  }
}

function parseFloatValue(value: Exclude<WireValue, null>): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return undefined;
}
