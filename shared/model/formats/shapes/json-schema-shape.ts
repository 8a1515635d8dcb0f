import { isJsonObject, type JsonObject, type JsonValue, parseExactJsonText } from '../../events/values/exact-json.ts';
import {
  anyShape,
  boolCodes,
  type FieldShape,
  floatCodes,
  scalarShape,
  textCodes,
  type ValueShape,
  wholeCodes,
} from './value-shape.ts';

/** References that lead on to references, at most. */
const MAX_HOPS = 32;

/**
 * What a JSON Schema says of its values, as far as `type`, `properties`, `items`, `format` and references within the same
 * document say it; everything else leaves a value open.
 *
 * Source: json-schema.org, draft 2020-12.
 */
export function jsonSchemaShape(text: string): ValueShape {
  const root = parseExactJsonText(text);
  return shapeOf(root, root);
}

function shapeOf(found: JsonValue | undefined, root: JsonValue): ValueShape {
  const schema = resolved(found, root);
  if (!schema) return anyShape;
  switch (typeIn(schema)) {
    case 'boolean':
      return scalarShape(boolCodes);
    case 'integer':
      return scalarShape(wholeCodes);
    case 'number':
      return scalarShape(floatCodes);
    case 'string':
      return textShape(schema);
    case 'array':
      return { kind: 'list', items: shapeOf(schema.items, root) };
    case 'object':
      return objectShape(schema, root);
    default:
      return anyShape;
  }
}

function textShape({ format, maxLength }: JsonObject): ValueShape {
  const length = typeof maxLength === 'number' ? maxLength : undefined;
  if (format === 'date-time') return scalarShape(['TIMESTAMP', ...textCodes]);
  if (format === 'date') return scalarShape(['DATE', ...textCodes]);
  if (format === 'uuid') return scalarShape(['UUID', ...textCodes]);
  return scalarShape(textCodes, length);
}

function objectShape(schema: JsonObject, root: JsonValue): ValueShape {
  const { properties, additionalProperties, required } = schema;
  if (properties === undefined || !isJsonObject(properties)) return anyShape;
  const needed = new Set(Array.isArray(required) ? required : []);
  return {
    kind: 'object',
    names: Object.keys(properties),
    isOpen: additionalProperties !== false,
    field: (name): FieldShape | undefined => {
      if (!Object.hasOwn(properties, name)) return undefined;
      const property = properties[name];
      return { shape: shapeOf(property, root), optional: !needed.has(name) || isNullable(property, root) };
    },
  };
}

/** The one type besides null; undefined where there are several or none. */
function typeIn({ type }: JsonObject): JsonValue | undefined {
  if (!Array.isArray(type)) return type;
  const [only, ...others] = type.filter((one) => one !== 'null');
  return others.length === 0 ? only : undefined;
}

function isNullable(found: JsonValue | undefined, root: JsonValue): boolean {
  const type = resolved(found, root)?.type;
  return type === 'null' || type === undefined || (Array.isArray(type) && type.includes('null'));
}

function resolved(found: JsonValue | undefined, root: JsonValue): JsonObject | undefined {
  let schema = found;
  for (let hops = 0; hops < MAX_HOPS; hops++) {
    if (schema === undefined || !isJsonObject(schema)) return undefined;
    const { $ref: reference } = schema;
    if (typeof reference !== 'string') return schema;
    schema = pointed(reference, root);
  }
  return undefined;
}

/** Source: RFC 6901. */
function pointed(reference: string, root: JsonValue): JsonValue | undefined {
  if (!reference.startsWith('#')) return undefined;
  let value: JsonValue | undefined = root;
  for (const part of reference.slice(1).split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (value === undefined || !isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}
