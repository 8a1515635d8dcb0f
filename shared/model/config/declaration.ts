/**
 * What a checked `penstock.yaml` says, with every default filled in and every unit resolved.
 *
 * Plain data: it is compiled once, by `penstock check` or at deployment, and travels to the functions as JSON,
 * so that none of them pays for the validator at a cold start.
 */
export interface Declaration {
  /** Raised when the shape below changes, so that a function refuses a file that it would misread. */
  readonly version: 1;
  readonly spanner: { readonly database: string };
  readonly kafka: { readonly brokers: readonly string[] } | undefined;
  readonly pipelines: Readonly<Record<string, Pipeline>>;
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly secrets: Readonly<Record<string, RotatedSecret>>;
  readonly access: { readonly policies: string } | undefined;
}

/** Events into one table. */
export interface Pipeline {
  readonly name: string;
  readonly source: KafkaSource | PubSubSource;
  readonly format: 'json' | 'bytes';
  readonly table: string;
  readonly mode: 'insert' | 'update' | 'upsert' | 'replace' | 'delete' | 'aggregate';
  readonly tombstones: 'delete' | 'ignore' | 'set-aside';
  /** Column by column; a key or NOT NULL column of the table that is left out comes from the field of the same name. */
  readonly columns: readonly ColumnSource[];
  /** A row is written only if this column grows. */
  readonly guard: string | undefined;
  /** Present exactly in mode `aggregate`. */
  readonly aggregate: Aggregate | undefined;
  readonly onPoison: 'set-aside' | 'stop';
  readonly onDrift: 'refuse' | 'ignore';
  readonly batch: { readonly maxRows: number; readonly maxBytes: number; readonly lingerMs: number };
  readonly commit: {
    readonly priority: 'low' | 'medium' | 'high';
    readonly maxDelayMs: number;
    readonly tag: string | undefined;
  };
}

export interface KafkaSource {
  readonly kind: 'kafka';
  readonly topic: string;
  readonly group: string;
}

export interface PubSubSource {
  readonly kind: 'pubsub';
  /** The short name, or `projects/P/subscriptions/S`. */
  readonly subscription: string;
}

/** Where a column's value comes from, and how it is read. */
export interface ColumnSource {
  readonly column: string;
  readonly from:
    | { readonly kind: 'key' }
    /** Dotted for nested objects. */
    | { readonly kind: 'field'; readonly path: string }
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'constant'; readonly value: string | number | boolean | null }
    | { readonly kind: 'record'; readonly part: 'topic' | 'partition' | 'offset' | 'timestamp' | 'value' };
  /** A text pattern (`yyyy/MM/dd HH:mm`) for timestamps and dates that are not RFC 3339. */
  readonly format: string | undefined;
  /** IANA zone that the pattern's local time is in; UTC unless given. */
  readonly zone: string | undefined;
}

/** Counters that are right after any crash: read and written in the batch's own transaction. */
export interface Aggregate {
  readonly groupBy: readonly ColumnSource[];
  readonly into: readonly {
    readonly column: string;
    readonly function: 'count' | 'sum' | 'min' | 'max';
    /** The field aggregated; undefined for `count`. */
    readonly field: string | undefined;
  }[];
}

/** A table as tensors for a trainer. */
export interface Feed {
  readonly name: string;
  readonly table: string;
  readonly transforms: readonly Transform[];
  readonly label: Label | undefined;
  /** Rows go to `evaluate` by a hash of this column; share in [0, 1). */
  readonly split: { readonly by: string; readonly evaluateShare: number } | undefined;
  readonly batchRows: number;
  /** One of the two is set. */
  readonly shards: number | undefined;
  readonly shardRows: number | undefined;
  readonly seed: number;
  readonly schedule: { readonly everyMs: number } | undefined;
  readonly trainer: { readonly url: string; readonly audience: string } | undefined;
}

export type TensorType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool';

/** How one tensor is made of one column. */
export type Transform = { readonly tensor: string; readonly column: string } & (
  | { readonly kind: 'cast'; readonly as: TensorType; readonly fillNull: number | undefined }
  | {
      readonly kind: 'part';
      readonly part: 'year' | 'month' | 'day' | 'weekday' | 'hour' | 'minute';
      readonly zone: string;
      /** Width of the one-hot tensor `[rows, oneHot]`; undefined for an int32 `[rows]`. */
      readonly oneHot: number | undefined;
    }
  | {
      readonly kind: 'normalise';
      readonly method: 'mean-variance' | 'min-max';
      readonly fillNull: 'mean' | number | undefined;
    }
  /** int32 ids `[rows]`: `0 … unknown - 1` for unknown values (by hash), then the vocabulary in order of frequency. */
  | { readonly kind: 'vocabulary'; readonly maxSize: number; readonly unknown: number }
);

/** The tensor `label`, float32 `[rows]`. */
export interface Label {
  readonly column: string;
  /** 1 where the column is greater, else 0; undefined for the value itself. */
  readonly greaterThan: number | undefined;
}

/** A secret that rotates. */
export interface RotatedSecret {
  readonly name: string;
  readonly strategy: 'kafka-scram' | 'hmac-key';
  readonly users: readonly string[];
  readonly everyMs: number;
  readonly overlapMs: number;
}
