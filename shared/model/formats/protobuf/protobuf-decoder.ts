import type { SchemaSource } from '../../config/declaration.ts';
import { PoisonError } from '../../events/records/poison.ts';
import { ByteCursor } from '../byte-cursor.ts';
import type { RecordDecoder } from '../record-decoder.ts';
import type { SchemaBook } from '../schema-book.ts';
import { schemaChoice } from '../schema-choice.ts';
import type { MessagePlan } from './message-plan.ts';
import { type ProtoFile, type ProtoMessage, parseProto } from './parse-proto.ts';
import { readProtobuf } from './read-protobuf.ts';

const MAX_INDEXES = 32;

/**
 * Makes the decoder of Protobuf: by a schema file the bytes are one bare message; else they have the registry's frame, and
 * after it the place of the message in its file.
 *
 * @param message full name of the message that the pipeline reads: records of another one are poison then
 * @throws {RangeError} for a schema file that cannot be used, or that leaves open which message is meant
 */
export function protobufDecoder(
  source: SchemaSource,
  { schemas, message }: { readonly schemas: SchemaBook; readonly message: string | undefined },
): RecordDecoder {
  const choice = schemaChoice({ source, type: 'PROTOBUF', schemas }, ({ text, references }) => {
    const file = parseProto(text, references);
    return { file, only: source.kind === 'file' ? onlyMessage(file, message) : undefined };
  });
  return {
    decode(bytes) {
      const { schema, body } = choice.choose(bytes);
      if (schema.only) return { document: readProtobuf(schema.only, body), isDeletion: false };
      const { plan, rest } = indexedMessage(schema.file, body);
      if (message !== undefined && plan.name !== message) {
        throw new PoisonError('unmappable', `The record is a ${plan.name}, and the pipeline reads ${message}`);
      }
      return { document: readProtobuf(plan, rest), isDeletion: false };
    },
    missingSchema: choice.missingSchema,
  };
}

function onlyMessage(file: ProtoFile, name: string | undefined): MessagePlan {
  const [first, second] = file.messages;
  if (name !== undefined) {
    const found = file.byName(name);
    if (!found) throw new RangeError(`It has no message ${name}`);
    return found;
  }
  if (!first || second) {
    const names = file.messages.map(({ plan }) => plan.name).join(', ');
    throw new RangeError(`It has the messages ${names || 'of nobody'}: say which one with \`message\``);
  }
  return first.plan;
}

/**
 * The message that a record names by its place: of the file's messages, then of those nested in it.
 *
 * Source: docs.confluent.io, Formats, Serializers, and Deserializers, "Wire format", message indexes.
 */
function indexedMessage(file: ProtoFile, body: Buffer): { readonly plan: MessagePlan; readonly rest: Buffer } {
  const cursor = new ByteCursor(body);
  const count = cursor.zigzag();
  if (count < 0 || count > MAX_INDEXES) cursor.fail(`names its message by ${count} indexes`);
  let messages: readonly ProtoMessage[] = file.messages;
  let found: ProtoMessage | undefined;
  // No index at all is short for the first message.
  for (let at = 0; at < Math.max(1, Number(count)); at++) {
    const index = count === 0 ? 0 : cursor.zigzag();
    found = messages[Number(index)];
    if (!found) return cursor.fail(`is of message ${index} of ${messages.length}, which the schema lacks`);
    messages = found.nested;
  }
  if (!found) return cursor.fail('names no message');
  return { plan: found.plan, rest: body.subarray(cursor.at) };
}
