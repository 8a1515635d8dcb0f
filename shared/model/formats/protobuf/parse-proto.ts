import protobuf from 'protobufjs';
import { messageOf } from '../../../base/errors.ts';
import { Bytes } from '../../events/values/document-leaf.ts';
import type { JsonValue } from '../../events/values/exact-json.ts';
import { knownFiles } from './known-files.ts';
import type { FieldPlan, MessagePlan, ScalarType, ValuePlan } from './message-plan.ts';

const { common, Enum, MapField, Namespace, parse, Root, Type } = protobuf;
type Field = protobuf.Field;
type MessageType = protobuf.Type;

const MAX_IMPORTS = 200;
/** Fields, symbols and options of one file: the parser's time grows with the square of a message's fields. */
const MAX_ASSIGNMENTS = 5_000;
const SCALARS: ReadonlySet<string> = new Set<ScalarType>([
  'double',
  'float',
  'int32',
  'uint32',
  'sint32',
  'fixed32',
  'sfixed32',
  'int64',
  'uint64',
  'sint64',
  'fixed64',
  'sfixed64',
  'bool',
  'string',
  'bytes',
]);

/** The messages of one file. */
export interface ProtoFile {
  /** In the file's order: a record names its message by such places. */
  readonly messages: readonly ProtoMessage[];
  /** @returns undefined when neither the file nor its imports have a message of this full name */
  byName(name: string): MessagePlan | undefined;
}

export interface ProtoMessage {
  readonly plan: MessagePlan;
  readonly nested: readonly ProtoMessage[];
}

/**
 * Parses a .proto file with what it imports, without generating code.
 *
 * An import that is neither referred to nor known is no mistake by itself: files import options that no record carries.
 *
 * @param references texts by the names by which they are imported
 * @throws {Error} naming what is wrong in a file, or which type is missing
 */
export function parseProto(
  text: string,
  references: readonly { readonly name: string; readonly text: string }[],
): ProtoFile {
  const root = new Root();
  const own = parseText(text, root);
  const space = own.package ? root.lookup(own.package) : root;
  // Before imports are there: they may be of the same package.
  const types = space instanceof Namespace ? messagesOf(space) : [];
  addImports(root, own, new Map(references.map((reference) => [reference.name, reference.text])));
  root.resolveAll();
  const plans = new Map<MessageType, MessagePlan>();
  const described = (type: MessageType): ProtoMessage => ({
    plan: planOf(type, plans),
    nested: messagesOf(type).map(described),
  });
  return {
    messages: types.map(described),
    byName(name) {
      const found = root.lookup(name.replace(/^\./, ''), [Type], true);
      return found instanceof Type ? planOf(found, plans) : undefined;
    },
  };
}

/** Groups count among the messages, as the compiler has them; entries of maps are none in the file's text. */
function messagesOf(space: protobuf.NamespaceBase): MessageType[] {
  return space.nestedArray.filter((nested) => nested instanceof Type);
}

function addImports(root: protobuf.Root, file: protobuf.IParserResult, references: ReadonlyMap<string, string>): void {
  const seen = new Set<string>();
  const queue = importsOf(file);
  for (const name of queue) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (seen.size > MAX_IMPORTS) throw new RangeError(`It imports more than ${MAX_IMPORTS} files`);
    const text = references.get(name) ?? knownFiles[name];
    if (text !== undefined) queue.push(...importsOf(parseImport(name, text, root)));
    else root.addJSON(common.get(name)?.nested ?? {});
  }
}

function importsOf({ imports, weakImports }: protobuf.IParserResult): string[] {
  return [...(imports ?? []), ...(weakImports ?? [])];
}

function parseText(text: string, root: protobuf.Root): protobuf.IParserResult {
  const count = text.split('=').length - 1;
  if (count > MAX_ASSIGNMENTS) throw new RangeError(`It has ${count} fields and options, over ${MAX_ASSIGNMENTS}`);
  return parse(text, root, { keepCase: true });
}

function parseImport(name: string, text: string, root: protobuf.Root): protobuf.IParserResult {
  try {
    return parseText(text, root);
  } catch (error) {
    throw new RangeError(`Import ${name}: ${messageOf(error)}`);
  }
}

function planOf(type: MessageType, plans: Map<MessageType, MessagePlan>): MessagePlan {
  const known = plans.get(type);
  if (known) return known;
  const plan: MessagePlan = { name: type.fullName.slice(1), fields: [], byNumber: new Map() };
  // Known before its fields are planned: they may be of this very type.
  plans.set(type, plan);
  for (const field of type.fieldsArray) {
    const planned = fieldOf(field, plans);
    plan.fields.push(planned);
    plan.byNumber.set(planned.number, planned);
  }
  return plan;
}

function fieldOf(field: Field, plans: Map<MessageType, MessagePlan>): FieldPlan {
  const value = valuePlanOf(field, plans);
  const shape = field instanceof MapField ? 'map' : field.repeated ? 'list' : 'one';
  return {
    name: field.name,
    number: field.id,
    value,
    shape,
    key: field instanceof MapField ? scalarOf(field.keyType) : undefined,
    hasPresence: shape === 'one' && (field.hasPresence || value.kind === 'message'),
    required: field.required,
    fallback: shape === 'list' ? [] : shape === 'map' ? {} : zeroOf(value),
    rivals: (field.partOf?.fieldsArray ?? []).filter((other) => other !== field).map(({ id }) => id),
  };
}

function valuePlanOf(field: Field, plans: Map<MessageType, MessagePlan>): ValuePlan {
  const { resolvedType } = field;
  if (resolvedType instanceof Enum) {
    const names = new Map(Object.entries(resolvedType.valuesById).map(([number, name]) => [Number(number), name]));
    return { kind: 'enum', names };
  }
  if (resolvedType instanceof Type) {
    return { kind: 'message', message: planOf(resolvedType, plans), delimited: field.delimited };
  }
  return { kind: 'scalar', type: scalarOf(field.type) };
}

function scalarOf(type: string): ScalarType {
  if (isScalar(type)) return type;
  throw new RangeError(`Type ${type} is not known`);
}

function isScalar(type: string): type is ScalarType {
  return SCALARS.has(type);
}

/** What a field without presence says when it is left out. */
function zeroOf(value: ValuePlan): JsonValue {
  if (value.kind === 'message') return null;
  if (value.kind === 'enum') return value.names.get(0) ?? 0;
  if (value.type === 'string') return '';
  if (value.type === 'bool') return false;
  return value.type === 'bytes' ? new Bytes(Buffer.alloc(0)) : 0;
}
