import type { PlannedJoin } from '../epochs/join.ts';
import type { ReadOptions } from '../epochs/read-options.ts';
import type { TrustedIssuer } from '../identity/trusted-issuer.ts';
import type { BatchFormat } from '../tensors/batch-format.ts';
import type { Transform } from './transform.ts';

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
  readonly kafka: KafkaConnection | undefined;
  readonly registry: SchemaRegistry | undefined;
  readonly pipelines: Readonly<Record<string, Pipeline>>;
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly secrets: Readonly<Record<string, RotatedSecret>>;
  readonly access: Access | undefined;
}

/** Who may come in, and do and read what. */
export interface Access {
  /** The folder of the policies, as it was written. */
  readonly policies: string | undefined;
  /** What the folder held when the declaration was compiled: functions need no files. Undefined where no policies guard anything. */
  readonly sources?: readonly PolicySource[] | undefined;
  /** Members of each group: e-mail addresses, or `ISSUER#SUBJECT`. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Columns by table that are masked, and refused to feeds that no policy grants them. */
  readonly sensitive?: Readonly<Record<string, readonly string[]>>;
  /** How long a request for a second person stands. */
  readonly approvalWithinMs?: number;
  /** Beside those that the environment names. */
  readonly issuers: readonly TrustedIssuer[];
}

/** A file of Cedar policies. */
export interface PolicySource {
  readonly file: string;
  readonly text: string;
}

/** How Kafka's brokers are reached. */
export interface KafkaConnection {
  /** `host:port` of some brokers; empty where a secret names them. */
  readonly brokers: readonly string[];
  /** Secret whose field `brokers` names them. */
  readonly brokersSecret?: string | undefined;
  readonly driver: 'wire' | 'kafkajs' | 'platformatic';
  /** True also wherever an authentication needs it. */
  readonly tls: boolean;
  /** Secret with the PEM of the authorities to trust instead of the public ones. */
  readonly caSecret: string | undefined;
  readonly auth: KafkaAuth | undefined;
}

export type KafkaAuth =
  /** The secret holds `{"username", "password"}`. */
  | { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly secret: string }
  /** The secret holds `{"key", "cert"}` as PEM. */
  | { readonly mechanism: 'mtls'; readonly secret: string }
  /** Tokens of the function's own service account, as Google's Managed Kafka takes them. */
  | { readonly mechanism: 'oauthbearer' };

/** A registry that speaks Confluent's protocol. */
export interface SchemaRegistry {
  /** Empty where a secret holds it. */
  readonly url: string;
  /** Secret whose field `registry` holds it. */
  readonly urlSecret?: string | undefined;
  readonly auth: /** The secret holds `{"username", "password"}`. */
    | { readonly kind: 'basic'; readonly secret: string }
    /** The secret holds `{"token"}`. */
    | { readonly kind: 'bearer'; readonly secret: string }
    /** Access tokens of the function's own service account. */
    | { readonly kind: 'google' }
    | undefined;
}

/** Events into a table, or, by routes, into several. */
export interface Pipeline {
  readonly name: string;
  readonly source: KafkaSource | PubSubSource;
  readonly format: RecordFormat;
  /** How the key is decoded for columns that come from a field of it; undefined where it is taken as it is. */
  readonly keyFormat: RecordFormat | undefined;
  /** At least one; a record goes to the first whose condition it meets. */
  readonly targets: readonly Target[];
  /** What becomes of a record that no target takes. */
  readonly unrouted: 'set-aside' | 'ignore';
  readonly onPoison: 'set-aside' | 'stop';
  /** The pipeline stops when more than `share` of the last `of` records were poison. */
  readonly poisonLimit: { readonly share: number; readonly of: number } | undefined;
  readonly onDrift: 'refuse' | 'ignore' | 'add-column';
  readonly batch: { readonly maxRows: number; readonly maxBytes: number; readonly lingerMs: number };
  readonly commit: {
    readonly priority: 'low' | 'medium' | 'high';
    readonly maxDelayMs: number;
    readonly tag: string | undefined;
    readonly excludeFromChangeStreams: boolean;
  };
}

/** How a record's bytes are read. */
export type RecordFormat =
  | { readonly kind: 'bytes' }
  | { readonly kind: 'json' }
  | { readonly kind: 'json-schema'; readonly schema: SchemaSource }
  | { readonly kind: 'avro'; readonly schema: SchemaSource }
  /** `message` is the full name of the message; undefined for the one that the record or the file names. */
  | { readonly kind: 'protobuf'; readonly schema: SchemaSource; readonly message: string | undefined }
  /** A change event; `flattened` where a transform left only the row's new state, with `__deleted` or `__op`. */
  | {
      readonly kind: 'debezium';
      readonly encoding: 'json' | 'avro';
      readonly schema: SchemaSource;
      readonly flattened: boolean;
    };

/** Where a schema comes from: the registry, by the id in each record, or the declaration itself. */
export type SchemaSource =
  | { readonly kind: 'registry' }
  /** `file` is its name, for messages; `text` what it held when the declaration was compiled. */
  | { readonly kind: 'file'; readonly file: string; readonly text: string };

/** One table that a pipeline writes, and how. */
export interface Target {
  /** Undefined takes every record. */
  readonly when: RouteCondition | undefined;
  readonly table: string;
  readonly mode: 'insert' | 'update' | 'upsert' | 'replace' | 'delete' | 'aggregate';
  readonly tombstones: 'delete' | 'ignore' | 'set-aside';
  /** Column by column; a key or NOT NULL column of the table that is left out comes from the field of the same name. */
  readonly columns: readonly ColumnSource[];
  /** A row is written only if this column grows. */
  readonly guard: string | undefined;
  /** Present exactly in mode `aggregate`. */
  readonly aggregate: Aggregate | undefined;
  /** Mode `insert`, when the row is there already. */
  readonly onExists: 'set-aside' | 'skip';
  /** Mode `update`, when there is no such row. */
  readonly onMissing: 'set-aside' | 'skip';
}

/** A record meets it when the value, as text, is one of `in`, or matches the whole of `matches`. */
export interface RouteCondition {
  readonly by:
    | { readonly kind: 'field'; readonly path: string }
    | { readonly kind: 'keyField'; readonly path: string }
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'topic' };
  readonly in: readonly string[] | undefined;
  /** A regular expression's source. */
  readonly matches: string | undefined;
}

export interface KafkaSource {
  readonly kind: 'kafka';
  /** Names; empty where a pattern chooses them. */
  readonly topics: readonly string[];
  /** A regular expression that a topic's whole name must match; topics that are created later count as well. */
  readonly pattern: string | undefined;
  readonly group: string;
}

export interface PubSubSource {
  readonly kind: 'pubsub';
  /** The short name, or `projects/P/subscriptions/S`. */
  readonly subscription: string;
  /** The service account whose tokens its pushes carry; undefined for any that may call. */
  readonly pushedBy?: string | undefined;
}

/** Where a column's value comes from, and how it is read. */
export interface ColumnSource {
  readonly column: string;
  readonly from:
    | { readonly kind: 'key' }
    /** Of the value; dotted for nested objects. */
    | { readonly kind: 'field'; readonly path: string }
    /** Of the key, which has a format of its own then. */
    | { readonly kind: 'keyField'; readonly path: string }
    /** A bucket in `[0, buckets)` of the FARM_FINGERPRINT of other columns' text: spreads keys that grow. */
    | { readonly kind: 'hash'; readonly of: readonly string[]; readonly buckets: number }
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'constant'; readonly value: string | number | boolean | null }
    | { readonly kind: 'record'; readonly part: 'topic' | 'partition' | 'offset' | 'timestamp' | 'value' };
  /** A text pattern (`yyyy/MM/dd HH:mm`) for timestamps and dates that are not RFC 3339. */
  readonly format: string | undefined;
  /** IANA zone that the pattern's local time is in; UTC unless given. */
  readonly zone: string | undefined;
  /** An INT64 is stored with its bits in reverse, as GoogleSQL's BIT_REVERSE(x, true) does: spreads keys that grow. */
  readonly bitReverse: boolean;
  /** A TIMESTAMP is taken down to the beginning of its window of so many milliseconds since 1970. */
  readonly windowMs: number | undefined;
}

/** Counters that are right after any crash: read and written in the batch's own transaction. */
export interface Aggregate {
  readonly groupBy: readonly ColumnSource[];
  readonly into: readonly {
    readonly column: string;
    readonly function: 'count' | 'sum' | 'min' | 'max' | 'first' | 'last';
    /** The field aggregated; undefined for `count`. */
    readonly field: string | undefined;
    /** `first` and `last`: the column of the group that keeps the version of what is held. */
    readonly by: { readonly column: string; readonly field: string } | undefined;
  }[];
}

/** A table as tensors for a trainer. */
export interface Feed {
  readonly name: string;
  /** `query` of a feed by `sql`. */
  readonly table: string;
  /** A query whose rows are read in place of a table's, and what tells them apart; undefined where a table is read. */
  readonly sql?: { readonly text: string; readonly key: readonly SqlKeyColumn[] } | undefined;
  /** A GoogleSQL condition on the table's columns; undefined takes every row. */
  readonly where?: string | undefined;
  readonly read?: ReadOptions | undefined;
  /** Small tables whose columns are named `NAME.COLUMN`; absent in older declarations. */
  readonly join?: readonly FeedJoin[] | undefined;
  readonly transforms: readonly Transform[];
  readonly label: Label | undefined;
  /** Rows go to `evaluate` and `test` by a hash of this column; shares in [0, 1). */
  readonly split:
    | { readonly by: string; readonly evaluateShare: number; readonly testShare?: number | undefined }
    | undefined;
  /** The tensor `weight`, float32 `[rows]`: a column, or by the label's value. */
  readonly weight?: SampleWeight | undefined;
  /** Shares of the training rows that are kept, by the label's value; rows of other labels are all kept. */
  readonly balance?: readonly (readonly [label: number, keptShare: number])[] | undefined;
  /** The epoch whose fitted transforms are taken; undefined fits them anew. */
  readonly fitFrom?: string | undefined;
  readonly batchRows: number;
  /** One of the two is set. */
  readonly shards: number | undefined;
  readonly shardRows: number | undefined;
  readonly seed: number;
  readonly schedule: { readonly everyMs: number } | undefined;
  readonly trainer:
    | { readonly url: string; readonly audience: string; readonly format?: 'safetensors' | 'arrow' | undefined }
    | undefined;
  /** Files instead of a trainer: `gs://BUCKET/PREFIX` or `file:///FOLDER`, without a slash at the end. */
  readonly files?: { readonly url: string; readonly format: BatchFormat } | undefined;
}

/** A column of the key that a query's rows are read in the order of. */
export interface SqlKeyColumn {
  readonly name: string;
  readonly descending: boolean;
}

/** A small table whose rows are found by columns of the feed's. */
export type FeedJoin = Pick<PlannedJoin, 'name' | 'table' | 'on'>;

/** `balanced`: weights fitted so that all classes weigh the same. */
export type SampleWeight =
  | { readonly kind: 'column'; readonly column: string }
  | { readonly kind: 'classes'; readonly weights: readonly (readonly [label: number, weight: number])[] }
  | { readonly kind: 'balanced' };

/** The tensor `label`, float32 `[rows]`. */
export interface Label {
  readonly column: string;
  /** 1 where the column is greater, else 0; undefined for the value itself. */
  readonly greaterThan: number | undefined;
}

/** A secret that rotates. */
export interface RotatedSecret {
  readonly name: string;
  readonly strategy: RotationStrategy;
  readonly everyMs: number;
  /** How long the old version works beside the new one. */
  readonly overlapMs: number;
  /** How long, after that, it waits for processes that are still seen with it. */
  readonly waitForUsersMs: number;
  /** How long it is kept, disabled, after that. */
  readonly destroyAfterMs: number;
}

/** How a new value is made, and who has to take it. */
export type RotationStrategy =
  /** Two users take turns, so that the old one works on while the new one is taken up. */
  | {
      readonly kind: 'kafka-scram';
      readonly users: readonly [string, string];
      readonly mechanism: 'scram-sha-256' | 'scram-sha-512';
      /** Secret of the user that alters credentials; undefined for the rotated secret itself. */
      readonly admin: string | undefined;
    }
  | { readonly kind: 'hmac-key' }
  | { readonly kind: 'password'; readonly length: number; readonly classes: readonly CharacterClass[] }
  /** `key` is the secret whose value signs the requests. */
  | { readonly kind: 'http-hook'; readonly url: string; readonly key: string }
  /** The absolute path of an executable, and its arguments. */
  | { readonly kind: 'command'; readonly run: readonly [string, ...string[]]; readonly timeoutMs: number }
  /** `authority` is the secret with the key that signs, and its certificate. */
  | {
      readonly kind: 'tls-certificate';
      readonly authority: string;
      readonly subject: string;
      readonly lifetimeMs: number;
    }
  /** `account` is the e-mail address of the service account whose keys they are. */
  | { readonly kind: 'service-account-key'; readonly account: string };

export type CharacterClass = 'lower' | 'upper' | 'digit' | 'symbol';
