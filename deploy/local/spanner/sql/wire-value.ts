import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';

/** A google.protobuf.Value as plain JavaScript, as parameters travel. */
export type WireValue = null | boolean | number | string | readonly WireValue[];

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const SECOND_NANOS = 1_000_000_000n;
const TIMESTAMP = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z$/i;

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
      return parseNumeric(text);
    case 'BYTES':
      return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
    case 'DATE':
      return isDate(text) ? text : undefined;
    case 'TIMESTAMP':
      return parseTimestamp(text);
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

function parseNumeric(text: string): string | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? [];
  if (whole + fraction === '') return undefined;
  const places = fraction.length - Number(exponent);
  const digits = (whole + fraction).padEnd((whole + fraction).length - Math.min(places, 0), '0');
  const split = digits.length - Math.max(places, 0);
  const integer = digits.slice(0, Math.max(split, 0)).replace(/^0+/, '') || '0';
  const decimals = `${'0'.repeat(Math.max(-split, 0))}${digits.slice(Math.max(split, 0))}`.replace(/0+$/, '');
  if (integer.length > 29 || decimals.length > 9) return undefined;
  const canonical = decimals ? `${integer}.${decimals}` : integer;
  return sign === '-' && canonical !== '0' ? `-${canonical}` : canonical;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text) && text >= '0001-01-01';
}

function parseTimestamp(text: string): bigint | undefined {
  const [, seconds, fraction = ''] = TIMESTAMP.exec(text) ?? [];
  if (seconds === undefined || !isDate(seconds.slice(0, 10))) return undefined;
  const ms = Date.parse(`${seconds.toUpperCase()}Z`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms / 1000) * SECOND_NANOS + BigInt(fraction.padEnd(9, '0'));
}
