/** A schema as a registry gives it. Source: docs.confluent.io, Schema Registry API, GET /schemas/ids/{id}. */
export interface RegisteredSchema {
  readonly id: number;
  readonly type: 'AVRO' | 'PROTOBUF' | 'JSON';
  readonly text: string;
  /** What the text imports or refers to, by the name that it uses; those of references included. */
  readonly references: readonly { readonly name: string; readonly text: string }[];
}

/** A schema that the registry has and nobody should use: over a limit, or of a kind that we do not know. */
export interface UnusableSchema {
  readonly id: number;
  readonly unusable: string;
}

/** The registered schemas that are known by now. */
export interface SchemaBook {
  /** True for a schema that was not asked for, or that was absent when it was asked for some time ago. */
  needs(id: number): boolean;
  /** `absent` where the registry has none of this id; undefined where it was not asked yet. */
  get(id: number): RegisteredSchema | UnusableSchema | 'absent' | undefined;
  /**
   * Fetches until nothing is missing. What is known then is known until something else is waited for.
   *
   * @param missing ids that are needed and not known, asked after each fetch
   */
  prepare(missing: () => readonly number[]): Promise<void>;
  /** The newest schema of a subject, to compare tables with: records name theirs by id. */
  latest?(subject: string): Promise<RegisteredSchema | UnusableSchema | 'absent'>;
}

/** For pipelines whose formats need no registry. */
export const noSchemas: SchemaBook = { needs: () => false, get: () => 'absent', prepare: async () => {} };
