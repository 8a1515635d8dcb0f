import type { SchemaSource } from '../../config/declaration.ts';
import { PoisonError } from '../../events/records/poison.ts';
import { mayBeInexact, parseExactJsonText, utf8Text } from '../../events/values/exact-json.ts';
import type { RecordDecoder } from '../record-decoder.ts';
import type { SchemaBook } from '../schema-book.ts';
import { schemaChoice } from '../schema-choice.ts';
import { compileJsonSchema } from './compile-json-schema.ts';

/**
 * Makes the decoder of JSON that follows a schema: by a schema file the bytes are bare JSON; else they have the registry's
 * frame. A record that is JSON and breaks its schema is `unmappable`.
 *
 * @throws {RangeError} for a schema file that cannot be used
 */
export function jsonSchemaDecoder(source: SchemaSource, schemas: SchemaBook): RecordDecoder {
  const choice = schemaChoice({ source, type: 'JSON', schemas }, ({ id, text, references }) => ({
    name: id === undefined ? 'its schema' : `schema ${id}`,
    check: compileJsonSchema(text, references),
  }));
  return {
    decode(bytes) {
      const { schema, body } = choice.choose(bytes);
      const text = utf8Text(body);
      const document = parseExactJsonText(text);
      const plain: unknown = mayBeInexact(text) ? JSON.parse(text) : document;
      const problem = schema.check(plain, text.length);
      if (problem !== undefined)
        throw new PoisonError('unmappable', `The value does not follow ${schema.name}: ${problem}`);
      return { document, isDeletion: false };
    },
    missingSchema: choice.missingSchema,
  };
}
