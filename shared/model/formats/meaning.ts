import { PoisonError } from '../events/records/poison.ts';
import { Bytes, ExactNumber, Unfit } from '../events/values/document-leaf.ts';
import { isJsonObject, type JsonValue, parseExactJsonText } from '../events/values/exact-json.ts';
import {
  dateLeaf,
  decimalLeaf,
  localTimestampLeaf,
  timeOfDayLeaf,
  timestampLeaf,
  type UnitsPerSecond,
  uuidText,
} from './binary-values.ts';
import { ByteCursor } from './byte-cursor.ts';

/** What a value means beyond its bytes: Avro's logical types, and the names of Kafka Connect and Debezium. */
export type Meaning =
  | { readonly name: 'decimal'; readonly scale: number }
  | Timed
  | { readonly name: 'date' | 'uuid' | 'duration' | 'big-decimal' | 'variable-scale-decimal' | 'json' };

interface Timed {
  readonly name: 'time' | 'timestamp' | 'local-timestamp';
  readonly perSecond: UnitsPerSecond;
}

/**
 * What a schema's name in Kafka Connect means.
 *
 * Debezium's own times without a zone (`io.debezium.time.Timestamp` and its finer kin) are read as UTC, which is how
 * Debezium wrote them. Source: debezium.io, connectors, "Data type mappings"; kafka.apache.org, org.apache.kafka.connect.data.
 *
 * @param scale the schema's parameter of that name: a whole number, or its text
 * @returns undefined for a name whose values are what they look like
 */
export function connectMeaning(name: string, scale: unknown): Meaning | undefined {
  switch (name) {
    case 'org.apache.kafka.connect.data.Decimal': {
      const digits = typeof scale === 'string' ? Number(scale) : scale;
      return typeof digits === 'number' && Number.isSafeInteger(digits)
        ? { name: 'decimal', scale: digits }
        : undefined;
    }
    case 'io.debezium.data.VariableScaleDecimal':
      return { name: 'variable-scale-decimal' };
    case 'org.apache.kafka.connect.data.Date':
    case 'io.debezium.time.Date':
      return { name: 'date' };
    case 'org.apache.kafka.connect.data.Time':
    case 'io.debezium.time.Time':
      return { name: 'time', perSecond: 1_000 };
    case 'io.debezium.time.MicroTime':
      return { name: 'time', perSecond: 1_000_000 };
    case 'io.debezium.time.NanoTime':
      return { name: 'time', perSecond: 1_000_000_000 };
    case 'org.apache.kafka.connect.data.Timestamp':
    case 'io.debezium.time.Timestamp':
      return { name: 'timestamp', perSecond: 1_000 };
    case 'io.debezium.time.MicroTimestamp':
      return { name: 'timestamp', perSecond: 1_000_000 };
    case 'io.debezium.time.NanoTimestamp':
      return { name: 'timestamp', perSecond: 1_000_000_000 };
    case 'io.debezium.data.Uuid':
      return { name: 'uuid' };
    case 'io.debezium.data.Json':
      return { name: 'json' };
    default:
      return undefined;
  }
}

/** A value as what it means; as it is, where it is of another kind than the meaning needs. */
export function meant(meaning: Meaning, value: JsonValue): JsonValue {
  switch (meaning.name) {
    case 'decimal':
      return value instanceof Bytes ? decimalLeaf(value.buffer, meaning.scale) : value;
    case 'big-decimal':
      return value instanceof Bytes ? bigDecimal(value.buffer) : value;
    case 'variable-scale-decimal':
      return variableScaleDecimal(value);
    case 'uuid':
      return value instanceof Bytes ? uuidText(value.buffer) : value;
    case 'duration':
      return new Unfit('a duration of months, days and milliseconds');
    case 'json':
      return typeof value === 'string' ? jsonLeaf(value) : value;
    case 'date': {
      const days = wholeOf(value);
      return days === undefined ? value : dateLeaf(days);
    }
    default: {
      const units = wholeOf(value);
      return units === undefined ? value : timeLeaf(meaning, units);
    }
  }
}

function timeLeaf({ name, perSecond }: Timed, whole: number | bigint): JsonValue {
  if (name === 'time') return timeOfDayLeaf(whole, perSecond);
  return name === 'timestamp' ? timestampLeaf(whole, perSecond) : localTimestampLeaf(whole, perSecond);
}

function wholeOf(value: JsonValue): number | bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  return value instanceof ExactNumber && /^-?\d{1,20}$/.test(value.source) ? BigInt(value.source) : undefined;
}

/** Bytes of Avro: the unscaled value's length and bytes, then the scale. */
function bigDecimal(buffer: Buffer): JsonValue {
  try {
    const cursor = new ByteCursor(buffer);
    const unscaled = cursor.take(Number(cursor.zigzag()));
    const scale = Number(cursor.zigzag());
    return cursor.left === 0 ? decimalLeaf(unscaled, scale) : new Unfit('a big decimal that is not whole');
  } catch (error) {
    if (error instanceof PoisonError) return new Unfit('a big decimal that is not whole');
    throw error;
  }
}

function variableScaleDecimal(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  const { scale, value: unscaled } = value;
  if (typeof scale !== 'number' || !(unscaled instanceof Bytes)) return value;
  return decimalLeaf(unscaled.buffer, scale);
}

/** A text that Debezium says is JSON becomes what it says. */
function jsonLeaf(text: string): JsonValue {
  try {
    return parseExactJsonText(text);
  } catch (error) {
    if (error instanceof PoisonError) return new Unfit('a text that is not JSON');
    throw error;
  }
}
