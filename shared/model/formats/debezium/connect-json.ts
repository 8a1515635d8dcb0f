import { PoisonError } from '../../events/records/poison.ts';
import { Bytes, Unfit } from '../../events/values/document-leaf.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../events/values/exact-json.ts';
import { connectMeaning, meant } from '../meaning.ts';
import { newObject, objectOf, setField } from '../object-fields.ts';

const MAX_DEPTH = 100;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The payload of Kafka Connect's JSON, its values as what the schema beside it says that they mean.
 *
 * Connect writes `{"schema": …, "payload": …}`, or the payload alone where schemas are switched off: values are then what
 * they look like. Source: kafka.apache.org, org.apache.kafka.connect.json.JsonConverter.
 */
export function connectPayload(document: JsonValue): JsonValue {
  if (!isJsonObject(document) || Object.keys(document).length !== 2) return document;
  const { schema, payload } = document;
  if (schema === undefined || payload === undefined) return document;
  return typed(schema, payload, 0);
}

function typed(schema: JsonValue, value: JsonValue, depth: number): JsonValue {
  if (depth > MAX_DEPTH) throw new PoisonError('undecodable', `The value nests deeper than ${MAX_DEPTH}`);
  if (value === null || !isJsonObject(schema)) return value;
  const plain = untitled(schema, value, depth);
  const { name, parameters } = schema;
  if (typeof name !== 'string') return plain;
  const scale = parameters !== undefined && isJsonObject(parameters) ? parameters.scale : undefined;
  const meaning = connectMeaning(name, scale);
  return meaning ? meant(meaning, plain) : plain;
}

function untitled({ type, fields, items, values }: JsonObject, value: JsonValue, depth: number): JsonValue {
  if (type === 'bytes') return typeof value === 'string' ? bytesOf(value) : value;
  if (Array.isArray(value)) {
    if (items === undefined) return value;
    return value.map((item: JsonValue) => typed(items, item, depth + 1));
  }
  if (!isJsonObject(value)) return value;
  if (type === 'struct' && Array.isArray(fields)) return struct(fields, value, depth);
  if (type !== 'map' || values === undefined) return value;
  return objectOf(Object.entries(value).map(([name, item]) => [name, typed(values, item, depth + 1)]));
}

/** What the schema does not name stays as it is. */
function struct(fields: readonly JsonValue[], value: JsonObject, depth: number): JsonObject {
  const object = newObject();
  for (const [name, item] of Object.entries(value)) setField(object, name, item);
  for (const field of fields) {
    const name = isJsonObject(field) ? field.field : undefined;
    if (typeof name !== 'string' || !Object.hasOwn(value, name)) continue;
    setField(object, name, typed(field, value[name] ?? null, depth + 1));
  }
  return object;
}

function bytesOf(text: string): JsonValue {
  return BASE64.test(text) ? new Bytes(Buffer.from(text, 'base64')) : new Unfit('bytes that are not base64');
}
