import type { SchemaSource } from '../../config/declaration.ts';
import type { RecordDecoder } from '../record-decoder.ts';
import type { SchemaBook } from '../schema-book.ts';
import { schemaChoice } from '../schema-choice.ts';
import { parseAvroSchema } from './parse-avro-schema.ts';
import { readAvro } from './read-avro.ts';

/**
 * Makes the decoder of Avro: by a schema file the bytes are one bare value; else they have the registry's frame.
 *
 * @throws {RangeError} for a schema file that is no Avro schema
 */
export function avroDecoder(source: SchemaSource, schemas: SchemaBook): RecordDecoder {
  const choice = schemaChoice({ source, type: 'AVRO', schemas }, ({ text, references }) =>
    parseAvroSchema({ text, references, connect: false }),
  );
  return {
    decode(bytes) {
      const { schema, body } = choice.choose(bytes);
      return { document: readAvro(schema, body), isDeletion: false };
    },
    missingSchema: choice.missingSchema,
  };
}
