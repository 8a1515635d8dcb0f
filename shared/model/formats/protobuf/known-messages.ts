import { Bytes, ExactNumber, Unfit } from '../../events/values/document-leaf.ts';
import type { JsonObject, JsonValue } from '../../events/values/exact-json.ts';
import { readDate } from '../../events/values/timestamp.ts';
import { decimalLeaf, timestampLeaf } from '../binary-values.ts';

const NANOS = 1_000_000_000;
const DECIMAL = /^-?\d{1,100}(?:\.\d{1,100})?(?:[eE][+-]?\d{1,4})?$/;

/**
 * What Google's and Confluent's well-known messages stand for, by full name.
 *
 * Source: protobuf.dev, reference, google.protobuf, "JSON Mapping".
 */
export const knownMessages: ReadonlyMap<string, (message: JsonObject) => JsonValue> = new Map<
  string,
  (message: JsonObject) => JsonValue
>([
  ['google.protobuf.Timestamp', timestamp],
  ['google.protobuf.Duration', duration],
  ['google.protobuf.Struct', ({ fields = {} }) => fields],
  ['google.protobuf.ListValue', ({ values = [] }) => values],
  ['google.protobuf.Value', anyValue],
  ['google.protobuf.FieldMask', ({ paths }) => (Array.isArray(paths) ? paths.join(',') : '')],
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (type) => [`google.protobuf.${type}Value`, ({ value = null }: JsonObject) => value] as const,
  ),
  ['google.type.Date', date],
  ['google.type.Decimal', decimalText],
  ['confluent.type.Decimal', decimal],
]);

/** One of six kinds; the symbol of the null kind is no text. */
function anyValue(message: JsonObject): JsonValue {
  const [kind] = Object.entries(message);
  return kind === undefined || kind[0] === 'nullValue' || kind[0] === 'null_value' ? null : kind[1];
}

function timestamp({ seconds, nanos }: JsonObject): JsonValue {
  const whole = bigintOf(seconds);
  const fraction = bigintOf(nanos);
  if (fraction < 0n || fraction >= BigInt(NANOS)) return new Unfit(`a time with ${fraction} nanoseconds`);
  return timestampLeaf(whole * BigInt(NANOS) + fraction, NANOS);
}

/** Seconds with up to nine digits and an `s`. */
function duration({ seconds, nanos }: JsonObject): JsonValue {
  const whole = bigintOf(seconds);
  const fraction = bigintOf(nanos);
  const size = fraction < 0n ? -fraction : fraction;
  if (size >= BigInt(NANOS) || (whole > 0n && fraction < 0n) || (whole < 0n && fraction > 0n)) {
    return new Unfit(`a duration of ${whole} s and ${fraction} ns`);
  }
  const digits = fraction === 0n ? '' : `.${String(size).padStart(9, '0').replace(/0+$/, '')}`;
  return `${fraction < 0n && whole === 0n ? '-' : ''}${whole}${digits}s`;
}

function date({ year, month, day }: JsonObject): JsonValue {
  const [y, m, d] = [year, month, day].map((part) => String(bigintOf(part)));
  const text = readDate(`${y?.padStart(4, '0')}-${m?.padStart(2, '0')}-${d?.padStart(2, '0')}`);
  return text ?? new Unfit(`the date of year ${y}, month ${m}, day ${d}`);
}

function decimalText({ value }: JsonObject): JsonValue {
  return typeof value === 'string' && DECIMAL.test(value)
    ? new ExactNumber(value)
    : new Unfit('a decimal that is none');
}

function decimal({ value, scale }: JsonObject): JsonValue {
  return value instanceof Bytes
    ? decimalLeaf(value.buffer, Number(bigintOf(scale)))
    : new Unfit('a decimal without digits');
}

function bigintOf(value: JsonValue | undefined): bigint {
  if (typeof value === 'number') return BigInt(value);
  return value instanceof ExactNumber ? BigInt(value.source) : 0n;
}
