import type {
  ColumnSource,
  Declaration,
  KafkaConnection,
  Pipeline,
  Target,
} from '../../../../shared/model/config/declaration.ts';

type PipelineParts = Partial<Omit<Pipeline, 'targets'>>;

/** A pipeline into one table with the defaults of a declaration; what is given stands. */
export function plainPipeline({
  pipeline,
  ...target
}: Partial<Target> & { readonly pipeline?: PipelineParts }): Pipeline {
  return {
    name: 'p',
    source: { kind: 'kafka', topics: ['t'], pattern: undefined, group: 'g' },
    format: { kind: 'json' },
    keyFormat: undefined,
    targets: [plainTarget(target)],
    unrouted: 'set-aside',
    onPoison: 'set-aside',
    poisonLimit: undefined,
    onDrift: 'refuse',
    batch: { maxRows: 100, maxBytes: 1 << 20, lingerMs: 5 },
    commit: { priority: 'medium', maxDelayMs: 0, tag: undefined, excludeFromChangeStreams: false },
    ...pipeline,
  };
}

/** A target with the defaults of a declaration. */
export function plainTarget(more: Partial<Target> = {}): Target {
  return {
    when: undefined,
    table: 'T',
    mode: 'upsert',
    tombstones: 'delete',
    columns: [],
    guard: undefined,
    aggregate: undefined,
    onExists: 'set-aside',
    onMissing: 'set-aside',
    ...more,
  };
}

/** The same pipeline with something else in each of its targets. */
export function withTarget(pipeline: Pipeline, more: Partial<Target>): Pipeline {
  return { ...pipeline, targets: pipeline.targets.map((target) => ({ ...target, ...more })) };
}

/** A column's source; nothing is done to the value. */
export function plainColumn(
  column: string,
  from: ColumnSource['from'],
  more: Partial<Omit<ColumnSource, 'column' | 'from'>> = {},
): ColumnSource {
  return { column, from, format: undefined, zone: undefined, bitReverse: false, windowMs: undefined, ...more };
}

/** A connection without TLS and authentication. */
export function plainKafka(...brokers: string[]): KafkaConnection {
  return { brokers, driver: 'wire', tls: false, caSecret: undefined, auth: undefined };
}

/** A declaration with nothing but what is given. */
export function plainDeclaration(more: Partial<Declaration>): Declaration {
  return {
    version: 1,
    spanner: { database: 'projects/p/instances/i/databases/d' },
    kafka: undefined,
    registry: undefined,
    pipelines: {},
    feeds: {},
    secrets: {},
    access: undefined,
    ...more,
  };
}
