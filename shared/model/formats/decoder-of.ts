import type { RecordFormat } from '../config/declaration.ts';
import { parseExactJson } from '../events/exact-json.ts';
import { avroDecoder } from './avro/avro-decoder.ts';
import type { DecodedRecord, RecordDecoder } from './record-decoder.ts';
import type { SchemaBook } from './schema-book.ts';

const NO_FIELDS: DecodedRecord = { document: undefined, isDeletion: false };

/** Makes the decoder of a format. */
export function decoderOf(format: RecordFormat, schemas: SchemaBook): RecordDecoder {
  switch (format.kind) {
    case 'bytes':
      return { decode: () => NO_FIELDS, missingSchema: () => undefined };
    case 'json':
      return {
        decode: (bytes) => ({ document: parseExactJson(bytes), isDeletion: false }),
        missingSchema: () => undefined,
      };
    case 'avro':
      return avroDecoder(format.schema, schemas);
    default:
      throw new RangeError(`Format ${format.kind} cannot be read`);
  }
}
