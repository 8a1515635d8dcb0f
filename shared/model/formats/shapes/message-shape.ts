import type { RecordFormat } from '../../config/declaration.ts';
import { parseAvroSchema } from '../avro/parse-avro-schema.ts';
import { avroShape } from './avro-shape.ts';
import { jsonSchemaShape } from './json-schema-shape.ts';
import { protobufShape } from './protobuf-shape.ts';
import { anyShape, type FieldShape, type ObjectShape, type ValueShape } from './value-shape.ts';

/** A schema's text with what it refers to. */
export interface ShapeSource {
  readonly text: string;
  readonly references: readonly { readonly name: string; readonly text: string }[];
}

/**
 * What a format's records look like.
 *
 * @param registered the registry's schema, where it is known; a schema file needs none
 * @returns `any` where no schema says it
 * @throws {Error} for a schema that cannot be used
 */
export async function messageShape(format: RecordFormat, registered?: ShapeSource): Promise<ValueShape> {
  if (format.kind === 'bytes' || format.kind === 'json') return anyShape;
  const source = format.schema.kind === 'file' ? { text: format.schema.text, references: [] } : registered;
  if (!source) return anyShape;
  switch (format.kind) {
    case 'avro':
      return avroShape(parseAvroSchema({ ...source, connect: false }));
    case 'protobuf':
      return await messageNamed(source, format.message);
    case 'json-schema':
      return jsonSchemaShape(source.text);
    case 'debezium':
      if (format.encoding === 'json') return anyShape;
      return changed(avroShape(parseAvroSchema({ ...source, connect: true })), format.flattened);
  }
}

async function messageNamed(source: ShapeSource, name: string | undefined): Promise<ValueShape> {
  // Other formats do not pay for the parser.
  const { parseProto } = await import('../protobuf/parse-proto.ts');
  const file = parseProto(source.text, source.references);
  const plan = name === undefined ? file.messages[0]?.plan : file.byName(name);
  if (!plan) throw new RangeError(name === undefined ? 'The file has no message' : `There is no message ${name}`);
  return protobufShape(plan);
}

/** The row in a change event; what the connector says of the change comes beside it. */
function changed(envelope: ValueShape, isFlattened: boolean): ValueShape {
  const row = isFlattened ? envelope : envelope.kind === 'object' ? envelope.field('after')?.shape : undefined;
  if (row?.kind !== 'object') return anyShape;
  return { ...row, isOpen: true };
}

/**
 * What stands at a dotted path.
 *
 * @returns `absent` where the schema has no such field; `any` where it leaves that open
 */
export function shapeAt(message: ValueShape, path: string): FieldShape | 'absent' {
  let at: FieldShape = { shape: message, optional: false };
  for (const name of path.split('.')) {
    const { shape, optional } = at;
    if (shape.kind === 'any') return { shape, optional: true };
    if (shape.kind !== 'object') return 'absent';
    const found = shape.field(name);
    if (!found) return shape.isOpen ? { shape: anyShape, optional: true } : 'absent';
    at = { shape: found.shape, optional: optional || found.optional };
  }
  return at;
}

/** The message's own fields; none where they are not known. */
export function fieldsOf(message: ValueShape): ObjectShape | undefined {
  return message.kind === 'object' ? message : undefined;
}
