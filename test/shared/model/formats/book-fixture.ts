import type { RawRecord } from '../../../../shared/model/events/records/raw-record.ts';
import type { RegisteredSchema, SchemaBook } from '../../../../shared/model/formats/schema-book.ts';

/** Schemas as a registry would have them; every other id was never asked for. */
export function book(...schemas: readonly Partial<RegisteredSchema>[]): SchemaBook {
  const known = new Map(
    schemas.map((schema, at): [number, RegisteredSchema] => {
      const whole = { id: at + 1, type: 'AVRO', text: '', references: [], ...schema } as const;
      return [whole.id, whole];
    }),
  );
  const get: SchemaBook['get'] = (id) => known.get(id) ?? (id >= 1_000 ? 'absent' : undefined);
  return { get, needs: (id) => get(id) === undefined, prepare: async () => {} };
}

/** The registry's frame: magic byte and schema id. */
export function framed(id: number, ...parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return Buffer.concat([header, ...parts]);
}

/** A Kafka record of these bytes. */
export function recordOf(value: Buffer | null, key: Buffer | null = null): RawRecord {
  return { key, value, headers: [], timestampMs: 0, topic: 't', partition: 0, offset: 0n };
}
