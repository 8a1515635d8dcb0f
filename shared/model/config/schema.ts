import { z } from 'zod';
import { datePartNames } from '../tensors/date-part.ts';
import { duration, environmentText, secretName } from './schema-words.ts';
import { secretSchema } from './secret-schema.ts';

/**
 * The shape of `penstock.yaml` as its author writes it, before units are resolved and defaults filled in.
 *
 * The one source of the validator and of `penstock.schema.json`, which completes the file in an editor.
 */

const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes, starting with a letter');
const identifier = z
  .string()
  .regex(/^[A-Za-z_]\w{0,127}$/, 'must be a Spanner name: letters, digits and underscores, not starting with a digit');
/** A column of the feed's table, or of a joined one. */
const feedColumn = z
  .string()
  .regex(/^[A-Za-z_]\w{0,127}(\.[A-Za-z_]\w{0,127})?$/, 'must be a column, or JOIN.COLUMN of a joined table');
const size = z.string().regex(/^\d+(\.\d+)?(B|KiB|MiB|GiB)$/, 'must be a size with its unit, like 4MiB');
const percent = z.string().regex(/^\d{1,2}(\.\d+)?%$/, 'must be a percentage below 100, like 10%');
const zone = z.string().refine(isTimeZone, 'must be an IANA time zone, like America/Chicago or UTC');

const columnSource = z
  .strictObject({
    key: z.literal(true).optional().describe("The record's key"),
    field: z.string().min(1).optional().describe('A field of the value; dotted for nested ones'),
    keyField: z.string().min(1).optional().describe('A field of the key, which `keyFormat` decodes'),
    header: z.string().min(1).optional().describe('A Kafka header or Pub/Sub attribute'),
    record: z.enum(['topic', 'partition', 'offset', 'timestamp', 'value']).optional(),
    constant: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
    as: z.enum(['timestamp', 'date']).optional().describe('Read text by `format`'),
    format: z.string().min(1).optional().describe('A pattern of yyyy MM dd HH mm ss SSS'),
    zone: zone.optional().describe('IANA time zone of the pattern; UTC unless given'),
    hashOf: z
      .array(identifier)
      .min(1)
      .optional()
      .describe('A bucket by the hash of other columns: spreads growing keys'),
    buckets: z.int().min(2).max(10_000).optional().describe('How many buckets `hashOf` has; 64 unless given'),
    bitReverse: z.boolean().optional().describe('Store an INT64 with its bits in reverse: spreads growing keys'),
    window: duration.optional().describe('Take a TIMESTAMP down to the beginning of its window'),
  })
  .describe('Where a column comes from');

const aggregateFunction = z.union([
  z.strictObject({ count: z.literal(true) }),
  z.strictObject({ sum: z.string().min(1) }),
  z.strictObject({ min: z.string().min(1) }),
  z.strictObject({ max: z.string().min(1) }),
  z.strictObject({ first: z.string().min(1), by: z.string().min(1), version: identifier }),
  z.strictObject({ last: z.string().min(1), by: z.string().min(1), version: identifier }),
]);

const schemaSource = z
  .strictObject({
    file: z.string().min(1).optional().describe('A schema beside the declaration; without it, the registry is asked'),
    message: z.string().min(1).optional().describe('Protobuf: the full name of the message'),
  })
  .describe('Where the schema comes from');
const formatName = z.enum(['json', 'json-schema', 'avro', 'protobuf', 'debezium', 'bytes']);
const debezium = z.strictObject({
  encoding: z.enum(['json', 'avro']).optional(),
  flattened: z.boolean().optional().describe('A transform left only the new state of the row'),
});

const mode = z.enum(['insert', 'update', 'upsert', 'replace', 'delete', 'aggregate']);
const targetShape = {
  tombstones: z.enum(['delete', 'ignore', 'set-aside']).optional(),
  columns: z.record(identifier, columnSource).optional(),
  guard: identifier.optional().describe('A row is written only if this column grows'),
  groupBy: z.record(identifier, columnSource).optional(),
  aggregates: z.record(identifier, aggregateFunction).optional(),
  onExists: z.enum(['set-aside', 'skip']).optional().describe('Mode insert, when the row is there already'),
  onMissing: z.enum(['set-aside', 'skip']).optional().describe('Mode update, when there is no such row'),
};

const route = z.strictObject({
  when: z
    .strictObject({
      field: z.string().min(1).optional(),
      keyField: z.string().min(1).optional(),
      header: z.string().min(1).optional(),
      topic: z.literal(true).optional(),
      in: z
        .array(z.union([z.string(), z.number(), z.boolean()]))
        .min(1)
        .optional(),
      matches: z.string().min(1).optional().describe('A regular expression that the whole value must match'),
    })
    .optional()
    .describe('Which records go here; left out: all that come this far'),
  table: identifier,
  mode: mode.optional(),
  ...targetShape,
});

const topicName = z.string().regex(/^[\w.-]{1,249}$/, 'must be a Kafka topic name');

export const pipelineSchema = z.strictObject({
  source: z.union([
    z.strictObject({
      kafka: z.strictObject({
        topic: topicName.optional(),
        topics: z.array(topicName).min(1).max(256).optional(),
        pattern: z.string().min(1).max(1_000).optional().describe('Every topic whose whole name matches'),
        group: z.string().min(1).optional(),
      }),
    }),
    z.strictObject({
      pubsub: z.strictObject({
        subscription: environmentText,
        pushedBy: environmentText.optional().describe('The service account of its pushes’ tokens; others are refused'),
      }),
    }),
  ]),
  format: formatName,
  schema: schemaSource.optional(),
  debezium: debezium.optional(),
  keyFormat: formatName.optional().describe('How the key is decoded, for columns that come from a field of it'),
  keySchema: schemaSource.optional(),
  table: identifier.optional(),
  mode: mode.optional(),
  ...targetShape,
  routes: z.array(route).min(1).max(64).optional().describe('Several tables: a record goes to the first that takes it'),
  unrouted: z.enum(['set-aside', 'ignore']).optional().describe('A record that no route takes'),
  onPoison: z.enum(['set-aside', 'stop']).optional(),
  poisonLimit: z
    .strictObject({ share: percent, of: z.int().min(10).max(1_000_000).optional() })
    .optional()
    .describe('Stop when more than this share of the last records was poison'),
  onDrift: z.enum(['refuse', 'ignore', 'add-column']).optional(),
  batch: z
    .strictObject({
      maxRows: z.int().min(1).max(20_000).optional(),
      maxBytes: size.optional(),
      linger: duration.optional(),
    })
    .optional(),
  commit: z
    .strictObject({
      priority: z.enum(['low', 'medium', 'high']).optional(),
      maxDelay: duration.optional(),
      tag: z.string().max(50).optional(),
      excludeFromChangeStreams: z.boolean().optional(),
    })
    .optional(),
});

const transform = z.strictObject({
  column: feedColumn,
  as: z.enum(['float32', 'float64', 'int32', 'int64', 'uint8', 'bool', 'string']).optional(),
  scale: z.int().min(0).max(9).optional().describe('NUMERIC as whole numbers of so many digits after the point'),
  unit: z.enum(['s', 'ms', 'us', 'ns']).optional().describe('Of TIMESTAMP as int64; ns unless given'),
  length: z.int().min(1).max(16_384).optional().describe('Items of an ARRAY, or bytes of a string'),
  pad: z.number().optional().describe('In place of items that an ARRAY does not have'),
  truncate: z.boolean().optional().describe('Cut what is longer than `length`'),
  part: z.enum(datePartNames).optional(),
  zone: zone.optional(),
  oneHot: z.union([z.literal(true), z.int().min(2).max(4096)]).optional(),
  normalise: z.enum(['mean-variance', 'min-max']).optional(),
  bucketize: z
    .union([
      z.strictObject({ bounds: z.array(z.number()).min(1).max(4096) }),
      z.strictObject({ quantiles: z.int().min(2).max(4096) }),
    ])
    .optional(),
  vocabulary: z
    .strictObject({
      maxSize: z.int().min(1).max(1_000_000),
      minCount: z.int().min(1).optional(),
      unknown: z.int().min(1).max(1024).optional(),
    })
    .optional(),
  hash: z.strictObject({ buckets: z.int().min(2).max(16_777_216) }).optional(),
  cross: feedColumn.optional().describe('The second column of a hash'),
  fillNull: z
    .union([z.number(), z.string().max(256)])
    .optional()
    .describe('`mean`, or what NULL is taken for'),
});

const replica = z
  .strictObject({
    location: z
      .string()
      .regex(/^[a-z0-9-]{1,63}$/, 'must be a region, as us-east1')
      .optional(),
    type: z.enum(['read-write', 'read-only']).optional(),
  })
  .refine(({ location, type }) => location !== undefined || type !== undefined, 'must name a location or a type');
const replicas = z.array(replica).min(1).max(10);

const feedRead = z.strictObject({
  priority: z.enum(['low', 'medium', 'high']).optional().describe('low unless given'),
  tag: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,49}$/, 'must be up to 50 letters, digits, `_` or `-`')
    .optional()
    .describe('Spanner’s statistics show the reads under it'),
  replicas: z
    .union([z.strictObject({ include: replicas }), z.strictObject({ exclude: replicas })])
    .optional()
    .describe('Which replicas serve the reads'),
  dataBoost: z.boolean().optional().describe('Read on Data Boost, away from what serves people'),
});

const feedJoin = z.strictObject({
  table: identifier,
  on: z.record(identifier, identifier).describe('Which column equals which of the joined table'),
});

/** A label's value as a name. */
const labelValue = z.string().regex(/^-?\d+(\.\d+)?$/, 'must be a value of the label, like 1');

export const feedSchema = z.strictObject({
  table: identifier.optional(),
  sql: z.string().optional().describe('A query in place of a table, read in the order of `key`'),
  key: z
    .array(z.string().regex(/^[A-Za-z_]\w{0,127}( DESC)?$/, 'must be a column of the query, or `COLUMN DESC`'))
    .min(1)
    .max(16)
    .optional()
    .describe('Columns of `sql` that tell its rows apart'),
  where: z.string().optional().describe('A GoogleSQL condition on the table’s columns: only rows that meet it'),
  read: feedRead.optional().describe('How Spanner serves the reads; changes no row'),
  join: z
    .record(z.string().regex(/^[A-Za-z_]\w{0,63}$/, 'must be a name for a joined table'), feedJoin)
    .optional()
    .describe('Small tables, held in memory: their columns are JOIN.COLUMN'),
  transforms: z.record(z.string().regex(/^[A-Za-z_]\w{0,63}$/, 'must be a tensor name'), transform),
  label: z.strictObject({ column: feedColumn, greaterThan: z.number().optional() }).optional(),
  split: z.strictObject({ by: feedColumn, evaluate: percent, test: percent.optional() }).optional(),
  weight: z
    .union([
      z.strictObject({ column: feedColumn }),
      z.strictObject({ classes: z.union([z.literal('balanced'), z.record(labelValue, z.number().min(0).max(1e9))]) }),
    ])
    .optional()
    .describe('The tensor `weight`: a column, or by the label’s value'),
  balance: z.record(labelValue, percent).optional().describe('Shares of the training rows kept, by the label’s value'),
  fitFrom: z
    .string()
    .regex(/^[\w.:-]{1,128}$/, 'must be an epoch’s id')
    .optional()
    .describe('The epoch whose fitted transforms are taken'),
  batchRows: z.int().min(1).max(65_536).optional(),
  shards: z.int().min(1).max(10_000).optional(),
  shardRows: z.int().min(1).optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional(),
  schedule: z
    .string()
    .regex(/^every \d+(s|m|h|d)$/, 'must be like `every 24h`')
    .optional(),
  trainer: z
    .strictObject({
      url: environmentText,
      audience: environmentText.optional(),
      format: z.enum(['safetensors', 'arrow']).optional().describe('Of the batches: safetensors unless given'),
    })
    .optional(),
  files: z
    .strictObject({ url: environmentText, format: z.enum(['tfrecord', 'arrow', 'safetensors']) })
    .optional()
    .describe('Batches as files in Cloud Storage (gs://) or a folder (file://), instead of a trainer'),
});

const kafka = z.strictObject({
  brokers: z
    .union([environmentText, z.array(environmentText).min(1), z.strictObject({ secret: secretName })])
    .describe('host:port of some; `secret`: a secret whose field `brokers` names them'),
  driver: z
    .enum(['wire', 'kafkajs', 'platformatic'])
    .optional()
    .describe('Which client reads: our own unless given, or a library'),
  tls: z
    .union([z.boolean(), z.strictObject({ ca: secretName })])
    .optional()
    .describe('`ca`: a secret with PEM'),
  auth: z
    .union([
      z.strictObject({ mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512', 'mtls']), secret: secretName }),
      z.strictObject({ mechanism: z.enum(['oauthbearer', 'none']) }),
    ])
    .optional(),
});

const registry = z.strictObject({
  url: z
    .union([environmentText, z.strictObject({ secret: secretName })])
    .describe('`secret`: a secret whose field `registry` holds it'),
  auth: z
    .union([
      z.strictObject({ basic: secretName }),
      z.strictObject({ bearer: secretName }),
      z.strictObject({ google: z.literal(true) }),
    ])
    .optional(),
});

const issuer = z.strictObject({
  issuer: z
    .string()
    .regex(
      /^(https:\/\/[^\s/]+|http:\/\/127\.0\.0\.1:\d+)(\/\S*)?$/,
      'must be the issuer as tokens have it in `iss`, with https',
    )
    .describe('As in `iss`; its discovery document names the keys'),
  shape: z
    .enum(['google', 'okta', 'entra', 'oidc'])
    .optional()
    .describe('How its claims are read; known by the address'),
  audiences: z
    .array(environmentText)
    .min(1)
    .optional()
    .describe('What its tokens are made for, where not this function’s URL'),
  clients: z.array(environmentText).min(1).optional().describe('Clients that its tokens may have been given to'),
  domains: z.array(environmentText).min(1).optional().describe('Domains whose e-mail addresses it may speak for'),
  groupsClaim: z.string().min(1).max(128).optional().describe('The claim that holds groups; `groups` unless given'),
  maxLifetime: duration.optional().describe('Longer-lived tokens are refused; 2h unless given'),
});

const access = z.strictObject({
  policies: z.string().min(1).optional().describe('The folder of Cedar policies, beside this file'),
  groups: z
    .record(name, z.array(z.string().min(3).max(512)).max(10_000))
    .optional()
    .describe('Who is in which group, by e-mail address; the groups of tokens come beside'),
  approvals: z
    .strictObject({
      within: duration.optional().describe('How long a request for a second person stands; 1h unless given'),
    })
    .optional(),
  sensitive: z
    .record(identifier, z.array(identifier).min(1))
    .optional()
    .describe('Columns by table that are masked, and that feeds read only where a policy grants it'),
  issuers: z.array(issuer).min(1).max(32).optional().describe('Issuers of people’s and services’ tokens beside Google'),
});

export const declarationSchema = z
  .strictObject({
    spanner: z.strictObject({
      database: z
        .string()
        .regex(/^projects\/[^/]+\/instances\/[^/]+\/databases\/[^/]+$/, 'must be projects/P/instances/I/databases/D'),
    }),
    kafka: kafka.optional(),
    registry: registry.optional(),
    pipelines: z.record(name, pipelineSchema).optional(),
    feeds: z.record(name, feedSchema).optional(),
    secrets: z.record(name, secretSchema).optional(),
    access: access.optional(),
  })
  .meta({ title: 'Penstock', description: 'Pipelines, feeds, secrets and access of one Penstock deployment' });

export type WrittenDeclaration = z.infer<typeof declarationSchema>;
export type WrittenPipeline = z.infer<typeof pipelineSchema>;
export type WrittenRoute = z.infer<typeof route>;
export type WrittenSecret = z.infer<typeof secretSchema>;
export type WrittenKafka = z.infer<typeof kafka>;
export type WrittenRegistry = z.infer<typeof registry>;
export type WrittenSchemaSource = z.infer<typeof schemaSource>;
export type WrittenFeed = z.infer<typeof feedSchema>;
export type WrittenIssuer = z.infer<typeof issuer>;
export type WrittenAccess = z.infer<typeof access>;
export type WrittenTransform = z.infer<typeof transform>;
export type WrittenColumnSource = z.infer<typeof columnSource>;

/** The JSON Schema (draft 7, which editors speak) of the same. */
export function declarationJsonSchema(): unknown {
  return z.toJSONSchema(declarationSchema, { io: 'input', target: 'draft-7' });
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
