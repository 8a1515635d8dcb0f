import type { RecordFormat } from '../config/declaration.ts';
import { parseExactJson } from '../events/values/exact-json.ts';
import { avroDecoder } from './avro/avro-decoder.ts';
import { debeziumDecoder } from './debezium/debezium-decoder.ts';
import type { DecodedRecord, RecordDecoder } from './record-decoder.ts';
import type { SchemaBook } from './schema-book.ts';

const NO_FIELDS: DecodedRecord = { document: undefined, isDeletion: false };

interface Loaded {
  protobuf?: typeof import('./protobuf/protobuf-decoder.ts').protobufDecoder;
  jsonSchema?: typeof import('./json-schema/json-schema-decoder.ts').jsonSchemaDecoder;
}

const loaded: Loaded = {};

/** Loads what the formats need and others do not pay for at their start: 20 to 40 ms each. */
export async function loadFormats(formats: readonly (RecordFormat | undefined)[]): Promise<void> {
  for (const format of formats) {
    if (format?.kind === 'protobuf') {
      loaded.protobuf ??= (await import('./protobuf/protobuf-decoder.ts')).protobufDecoder;
    } else if (format?.kind === 'json-schema') {
      loaded.jsonSchema ??= (await import('./json-schema/json-schema-decoder.ts')).jsonSchemaDecoder;
    }
  }
}

/**
 * Makes the decoder of a format; call `loadFormats` before.
 *
 * @param options.part what of a record it decodes: a key never has an envelope
 * @throws {RangeError} for a schema file that cannot be used
 */
export function decoderOf(
  format: RecordFormat,
  { schemas, part }: { readonly schemas: SchemaBook; readonly part: 'key' | 'value' },
): RecordDecoder {
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
    case 'debezium':
      return debeziumDecoder(format, { schemas, part });
    case 'protobuf':
      return ready(loaded.protobuf)(format.schema, { schemas, message: format.message });
    case 'json-schema':
      return ready(loaded.jsonSchema)(format.schema, schemas);
  }
}

function ready<T>(decoder: T | undefined): T {
  if (!decoder) throw new Error('The format was not loaded before its pipeline was compiled');
  return decoder;
}
