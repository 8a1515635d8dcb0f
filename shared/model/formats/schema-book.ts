/** A schema as a registry gives it. Source: docs.confluent.io, Schema Registry API, GET /schemas/ids/{id}. */
export interface RegisteredSchema {
  readonly id: number;
  readonly type: 'AVRO' | 'PROTOBUF' | 'JSON';
  readonly text: string;
  /** What the text imports or refers to, by the name that it uses; those of references included. */
  readonly references: readonly { readonly name: string; readonly text: string }[];
}

/** The registered schemas that are known by now. */
export interface SchemaBook {
  /** `absent` where the registry has none of this id; undefined where it was not asked yet. */
  get(id: number): RegisteredSchema | 'absent' | undefined;
}

/** For pipelines whose formats need no registry. */
export const noSchemas: SchemaBook = { get: () => 'absent' };
