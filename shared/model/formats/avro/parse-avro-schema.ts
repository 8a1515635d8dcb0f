import { isJsonObject, type JsonObject, type JsonValue, parseExactJsonText } from '../../events/values/exact-json.ts';
import { meaningOf } from './avro-meaning.ts';
import type { AvroRecord, AvroType } from './avro-type.ts';

/** Schemas nest no deeper than this; a deeper one is a mistake or an attack. */
const MAX_DEPTH = 100;
const MAX_FIXED_BYTES = 64 * 1024 * 1024;
const NAME = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;

type Primitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';
const PRIMITIVES: ReadonlyMap<string, AvroType> = new Map(
  (['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] satisfies Primitive[]).map((kind) => [
    kind,
    { kind },
  ]),
);

/** A schema with the texts of the schemas that define names which it uses. */
export interface AvroSource {
  readonly text: string;
  readonly references: readonly { readonly text: string }[];
  /** Honours the names that Kafka Connect's converter gives to types. */
  readonly connect: boolean;
}

/**
 * Parses a writer's schema.
 *
 * @throws {RangeError} naming what is wrong in it
 */
export function parseAvroSchema({ text, references, connect }: AvroSource): AvroType {
  const parsing: Parsing = { names: new Map(), connect };
  for (const reference of references) parseText(reference.text, parsing);
  return parseText(text, parsing);
}

interface Parsing {
  readonly names: Map<string, AvroType>;
  readonly connect: boolean;
}

/** Where in a schema a type stands. */
interface Place {
  readonly namespace: string;
  readonly depth: number;
}

function parseText(text: string, parsing: Parsing): AvroType {
  const trimmed = text.trim();
  // A registry may hold the schema of a primitive as its bare name.
  const schema = PRIMITIVES.has(trimmed) ? trimmed : parseExactJsonText(text);
  return parseType(schema, parsing, { namespace: '', depth: 0 });
}

function parseType(schema: JsonValue, parsing: Parsing, { namespace, depth }: Place): AvroType {
  if (depth > MAX_DEPTH) throw new RangeError(`The schema nests deeper than ${MAX_DEPTH} types`);
  const place = { namespace, depth: depth + 1 };
  if (typeof schema === 'string') return namedType(schema, parsing, namespace);
  if (Array.isArray(schema)) return parseUnion(schema, parsing, place);
  if (!isJsonObject(schema)) throw new RangeError('A type is neither a name, nor a list, nor an object');
  const type = parseObject(schema, parsing, place);
  const meaning = meaningOf(schema, type, parsing.connect);
  return meaning ? { kind: 'meaning', meaning, of: type } : type;
}

function namedType(name: string, { names }: Parsing, namespace: string): AvroType {
  const known = PRIMITIVES.get(name) ?? names.get(fullName(name, namespace)) ?? names.get(name);
  if (!known)
    throw new RangeError(`The schema names type ${JSON.stringify(name.slice(0, 80))}, and does not define it`);
  return known;
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function parseUnion(schemas: readonly JsonValue[], parsing: Parsing, place: Place): AvroType {
  const branches = schemas.map((schema) => parseType(schema, parsing, place));
  if (branches.some(({ kind }) => kind === 'union')) throw new RangeError('A union holds another union itself');
  return { kind: 'union', branches };
}

function parseObject(schema: JsonObject, parsing: Parsing, place: Place): AvroType {
  const { type } = schema;
  switch (type) {
    case 'record':
    case 'error':
      return parseRecord(schema, parsing, place);
    case 'enum':
      return parseEnum(schema, parsing, place);
    case 'fixed':
      return parseFixed(schema, parsing, place);
    case 'array':
      return { kind: 'array', items: parseType(required(schema, 'items'), parsing, place) };
    case 'map':
      return { kind: 'map', items: parseType(required(schema, 'values'), parsing, place) };
    default:
      return parseType(required(schema, 'type'), parsing, place);
  }
}

function parseRecord(schema: JsonObject, parsing: Parsing, { namespace, depth }: Place): AvroType {
  const { name, inner } = define(schema, namespace);
  const record: AvroRecord = { kind: 'record', name, fields: [] };
  // Known before its fields are parsed: they may be of this very type.
  remember(name, record, parsing);
  const { fields } = schema;
  if (!Array.isArray(fields)) throw new RangeError(`Record ${name} has no list of fields`);
  const seen = new Set<string>();
  for (const field of fields) {
    const fieldName = isJsonObject(field) ? field.name : undefined;
    if (!isJsonObject(field) || typeof fieldName !== 'string' || fieldName === '') {
      throw new RangeError(`Record ${name} has a field without a name`);
    }
    if (seen.has(fieldName)) throw new RangeError(`Record ${name} has field ${fieldName} twice`);
    seen.add(fieldName);
    record.fields.push({
      name: fieldName,
      type: parseType(required(field, 'type'), parsing, { namespace: inner, depth }),
    });
  }
  return record;
}

function parseEnum(schema: JsonObject, parsing: Parsing, { namespace }: Place): AvroType {
  const { name } = define(schema, namespace);
  const { symbols } = schema;
  if (!Array.isArray(symbols) || !symbols.every((symbol) => typeof symbol === 'string')) {
    throw new RangeError(`Enum ${name} has no list of symbols`);
  }
  return remember(name, { kind: 'enum', symbols }, parsing);
}

function parseFixed(schema: JsonObject, parsing: Parsing, { namespace }: Place): AvroType {
  const { name } = define(schema, namespace);
  const { size } = schema;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > MAX_FIXED_BYTES) {
    throw new RangeError(`Fixed ${name} has no size from 0 to ${MAX_FIXED_BYTES}`);
  }
  const fixed: AvroType = { kind: 'fixed', size };
  const meaning = meaningOf(schema, fixed, parsing.connect);
  // A later mention by name means the same.
  remember(name, meaning ? { kind: 'meaning', meaning, of: fixed } : fixed, parsing);
  return fixed;
}

/** The full name of a type, and the namespace of what stands in it. */
function define(schema: JsonObject, outer: string): { readonly name: string; readonly inner: string } {
  const { name, namespace } = schema;
  if (typeof name !== 'string') throw new RangeError(`A ${String(schema.type)} has no name`);
  const full = fullName(name, typeof namespace === 'string' ? namespace : outer);
  if (!NAME.test(full)) throw new RangeError(`${JSON.stringify(full.slice(0, 80))} is no name of a type`);
  return { name: full, inner: full.slice(0, Math.max(0, full.lastIndexOf('.'))) };
}

function remember(name: string, type: AvroType, { names }: Parsing): AvroType {
  if (names.has(name)) throw new RangeError(`Type ${name} is defined twice`);
  names.set(name, type);
  return type;
}

function required(schema: JsonObject, name: string): JsonValue {
  const value = Object.hasOwn(schema, name) ? schema[name] : undefined;
  if (value === undefined) throw new RangeError(`A type has no ${JSON.stringify(name)}`);
  return value;
}
