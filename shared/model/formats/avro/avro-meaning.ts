import { isJsonObject, type JsonObject } from '../../events/values/exact-json.ts';
import { connectMeaning, type Meaning } from '../meaning.ts';
import type { AvroType } from './avro-type.ts';

const DURATION_BYTES = 12;
const UUID_BYTES = 16;

const OF_INT: Readonly<Record<string, Meaning | undefined>> = {
  date: { name: 'date' },
  'time-millis': { name: 'time', perSecond: 1_000 },
};

const OF_LONG: Readonly<Record<string, Meaning | undefined>> = {
  'time-micros': { name: 'time', perSecond: 1_000_000 },
  'timestamp-millis': { name: 'timestamp', perSecond: 1_000 },
  'timestamp-micros': { name: 'timestamp', perSecond: 1_000_000 },
  'timestamp-nanos': { name: 'timestamp', perSecond: 1_000_000_000 },
  'local-timestamp-millis': { name: 'local-timestamp', perSecond: 1_000 },
  'local-timestamp-micros': { name: 'local-timestamp', perSecond: 1_000_000 },
  'local-timestamp-nanos': { name: 'local-timestamp', perSecond: 1_000_000_000 },
};

/**
 * What a schema says that its values mean.
 *
 * As the specification asks, a logical type that is unknown, or that does not fit its type, is no mistake: the value is
 * what its bytes say.
 *
 * @param connect honours `connect.name` as well, which Kafka Connect's converter writes for Debezium
 */
export function meaningOf(schema: JsonObject, type: AvroType, connect: boolean): Meaning | undefined {
  const byName = connect ? connectName(schema) : undefined;
  if (byName) return byName;
  const { logicalType: name, precision, scale = 0 } = schema;
  if (typeof name !== 'string') return undefined;
  switch (type.kind) {
    case 'int':
      return Object.hasOwn(OF_INT, name) ? OF_INT[name] : undefined;
    case 'long':
      return Object.hasOwn(OF_LONG, name) ? OF_LONG[name] : undefined;
    case 'string':
      return name === 'uuid' ? { name } : undefined;
    case 'fixed':
      if (name === 'uuid' && type.size === UUID_BYTES) return { name };
      if (name === 'duration' && type.size === DURATION_BYTES) return { name };
      return name === 'decimal' ? decimalMeaning(precision, scale) : undefined;
    case 'bytes':
      if (name === 'big-decimal') return { name };
      return name === 'decimal' ? decimalMeaning(precision, scale) : undefined;
    default:
      return undefined;
  }
}

function decimalMeaning(precision: unknown, scale: unknown): Meaning | undefined {
  if (!isWhole(precision) || !isWhole(scale) || precision < 1 || scale < 0 || scale > precision) return undefined;
  return { name: 'decimal', scale };
}

function connectName({ 'connect.name': name, 'connect.parameters': parameters }: JsonObject): Meaning | undefined {
  if (typeof name !== 'string') return undefined;
  return connectMeaning(name, parameters !== undefined && isJsonObject(parameters) ? parameters.scale : undefined);
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}
