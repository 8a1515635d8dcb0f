import type { RecordFormat } from '../../config/declaration.ts';
import { PoisonError } from '../../events/records/poison.ts';
import { type JsonValue, parseExactJson } from '../../events/values/exact-json.ts';
import { parseAvroSchema } from '../avro/parse-avro-schema.ts';
import { readAvro } from '../avro/read-avro.ts';
import type { RecordDecoder } from '../record-decoder.ts';
import type { SchemaBook } from '../schema-book.ts';
import { schemaChoice } from '../schema-choice.ts';
import { schemaIdOf } from '../wire-frame.ts';
import { changeOf, flatChangeOf } from './change-event.ts';
import { connectPayload } from './connect-json.ts';

/**
 * Makes the decoder of Debezium's change events, or of their keys, which have no envelope.
 *
 * Values that Debezium encodes (dates as days, decimals as bytes) are what their schema says: Avro's, or the one beside a
 * JSON payload. JSON without a schema is what it looks like.
 *
 * @throws {RangeError} for a schema file that cannot be used
 */
export function debeziumDecoder(
  { encoding, schema, flattened }: Extract<RecordFormat, { kind: 'debezium' }>,
  { schemas, part }: { readonly schemas: SchemaBook; readonly part: 'key' | 'value' },
): RecordDecoder {
  const change = flattened ? flatChangeOf : changeOf;
  const decoded = part === 'key' ? (document: JsonValue) => ({ document, isDeletion: false }) : change;
  if (encoding === 'json') {
    return { decode: (bytes) => decoded(connectPayload(readJson(bytes))), missingSchema: () => undefined };
  }
  const choice = schemaChoice({ source: schema, type: 'AVRO', schemas }, ({ text, references }) =>
    parseAvroSchema({ text, references, connect: true }),
  );
  return {
    decode(bytes) {
      const { schema: type, body } = choice.choose(bytes);
      return decoded(readAvro(type, body));
    },
    missingSchema: choice.missingSchema,
  };
}

function readJson(bytes: Buffer): JsonValue {
  const id = schemaIdOf(bytes);
  if (id === undefined) return parseExactJson(bytes);
  const reason = `The value begins with the frame of schema ${id}: set \`debezium: { encoding: avro }\` if it is Avro`;
  throw new PoisonError('undecodable', reason);
}
