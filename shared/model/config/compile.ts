import type { Aggregate, ColumnSource, Declaration, Feed, Pipeline, RotatedSecret, Transform } from './declaration.ts';
import type {
  WrittenColumnSource,
  WrittenDeclaration,
  WrittenFeed,
  WrittenPipeline,
  WrittenTransform,
} from './schema.ts';
import { parseBytes, parseMs, parseShare } from './units.ts';

const DEFAULT_BATCH = { maxRows: 5_000, maxBytes: '4MiB', linger: '50ms' };
const MAX_BATCH_BYTES = 64 * 1024 * 1024;
const DEFAULT_BATCH_ROWS = 1024;
const DEFAULT_SHARDS = 8;

/** A mistake that only shows when settings are seen together. */
export interface Finding {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

type Report = (path: readonly (string | number)[], message: string, remedy: string) => void;

/**
 * Resolves units and defaults of a declaration whose shape was checked, and checks what spans several settings.
 *
 * @returns the declaration, which is to be used only when there are no findings
 */
export function compileDeclaration(written: WrittenDeclaration): { declaration: Declaration; findings: Finding[] } {
  const findings: Finding[] = [];
  const report: Report = (path, message, remedy) => findings.push({ path, message, remedy });
  const pipelines = mapEntries(written.pipelines, (pipeline, name) => compilePipeline(name, pipeline, report));
  const feeds = mapEntries(written.feeds, (feed, name) => compileFeed(name, feed, report));
  if (written.kafka === undefined) {
    for (const [name, { source }] of Object.entries(pipelines)) {
      if (source.kind === 'kafka') {
        report(
          ['pipelines', name, 'source'],
          'reads Kafka, but no brokers are declared',
          'Add `kafka: { brokers: … }`',
        );
      }
    }
  }
  const declaration: Declaration = {
    version: 1,
    spanner: written.spanner,
    kafka: written.kafka && { brokers: brokerList(written.kafka.brokers) },
    pipelines,
    feeds,
    secrets: mapEntries(
      written.secrets,
      (secret, name): RotatedSecret => ({
        name,
        strategy: secret.strategy,
        users: secret.users ?? [],
        everyMs: parseMs(secret.every),
        overlapMs: parseMs(secret.overlap ?? '1h'),
      }),
    ),
    access: written.access,
  };
  return { declaration, findings };
}

function brokerList(brokers: string | readonly string[]): string[] {
  return (typeof brokers === 'string' ? brokers.split(',') : brokers).map((broker) => broker.trim());
}

function compilePipeline(name: string, written: WrittenPipeline, report: Report): Pipeline {
  const path = ['pipelines', name];
  const maxBytes = parseBytes(written.batch?.maxBytes ?? DEFAULT_BATCH.maxBytes);
  if (maxBytes < 1 || maxBytes > MAX_BATCH_BYTES) {
    report(
      [...path, 'batch', 'maxBytes'],
      `is ${written.batch?.maxBytes}`,
      'Choose from 1B to 64MiB; aim for 1MiB to 5MiB',
    );
  }
  const maxDelayMs = parseMs(written.commit?.maxDelay ?? '0ms');
  if (maxDelayMs > 500) {
    report(
      [...path, 'commit', 'maxDelay'],
      `is ${written.commit?.maxDelay}`,
      'Spanner delays a commit by 500ms at most',
    );
  }
  return {
    name,
    source:
      'kafka' in written.source
        ? { kind: 'kafka', topic: written.source.kafka.topic, group: written.source.kafka.group ?? `penstock-${name}` }
        : { kind: 'pubsub', subscription: written.source.pubsub.subscription },
    format: written.format,
    table: written.table,
    mode: written.mode,
    tombstones: written.tombstones ?? 'delete',
    columns: compileColumns(written.columns, [...path, 'columns'], report),
    guard: written.guard,
    aggregate: compileAggregate(written, path, report),
    onPoison: written.onPoison ?? 'set-aside',
    onDrift: written.onDrift ?? 'refuse',
    batch: {
      maxRows: written.batch?.maxRows ?? DEFAULT_BATCH.maxRows,
      maxBytes,
      lingerMs: parseMs(written.batch?.linger ?? DEFAULT_BATCH.linger),
    },
    commit: { priority: written.commit?.priority ?? 'medium', maxDelayMs, tag: written.commit?.tag },
  };
}

function compileAggregate(written: WrittenPipeline, path: readonly string[], report: Report): Aggregate | undefined {
  if (written.mode !== 'aggregate') {
    for (const setting of ['groupBy', 'aggregates'] as const) {
      if (written[setting])
        report([...path, setting], 'is for mode `aggregate` alone', 'Remove it, or set `mode: aggregate`');
    }
    return undefined;
  }
  if (!written.groupBy || !written.aggregates || Object.keys(written.aggregates).length === 0) {
    report(path, 'has mode `aggregate` without what it needs', 'Add `groupBy` and at least one of `aggregates`');
  }
  for (const setting of ['columns', 'guard'] as const) {
    if (written[setting])
      report([...path, setting], 'has no meaning in mode `aggregate`', 'Use `groupBy` and `aggregates`');
  }
  return {
    groupBy: compileColumns(written.groupBy, [...path, 'groupBy'], report),
    into: Object.entries(written.aggregates ?? {}).map(([column, aggregate]) => {
      if ('sum' in aggregate) return { column, function: 'sum', field: aggregate.sum };
      if ('min' in aggregate) return { column, function: 'min', field: aggregate.min };
      if ('max' in aggregate) return { column, function: 'max', field: aggregate.max };
      return { column, function: 'count', field: undefined };
    }),
  };
}

function compileColumns(
  written: Readonly<Record<string, WrittenColumnSource>> | undefined,
  path: readonly string[],
  report: Report,
): ColumnSource[] {
  return Object.entries(written ?? {}).map(([column, source]) => {
    const at = [...path, column];
    const origins = (['key', 'field', 'header', 'record', 'constant'] as const).filter(
      (kind) => source[kind] !== undefined,
    );
    if (origins.length > 1) report(at, `comes from ${origins.join(' and ')}`, 'Keep one of them');
    if (source.format !== undefined && source.as === undefined) {
      report([...at, 'format'], 'needs to know what it reads', 'Add `as: timestamp` or `as: date`');
    }
    if (source.as !== undefined && source.format === undefined) {
      report(
        [...at, 'as'],
        'needs a pattern',
        'Add `format: yyyy-MM-dd …`, or leave `as` out where the text is RFC 3339',
      );
    }
    return { column, from: originOf(column, source), format: source.format, zone: source.zone };
  });
}

function originOf(column: string, source: WrittenColumnSource): ColumnSource['from'] {
  if (source.key) return { kind: 'key' };
  if (source.header !== undefined) return { kind: 'header', name: source.header };
  if (source.record !== undefined) return { kind: 'record', part: source.record };
  if (source.constant !== undefined) return { kind: 'constant', value: source.constant };
  return { kind: 'field', path: source.field ?? column };
}

function compileFeed(name: string, written: WrittenFeed, report: Report): Feed {
  const path = ['feeds', name];
  if (written.shards !== undefined && written.shardRows !== undefined) {
    report([...path, 'shardRows'], 'is given beside `shards`', 'Keep one of the two');
  }
  if (Object.keys(written.transforms).length === 0) report([...path, 'transforms'], 'is empty', 'Declare a tensor');
  if (written.label && 'label' in written.transforms) {
    report([...path, 'transforms', 'label'], 'has the name of the label tensor', 'Choose another name');
  }
  return {
    name,
    table: written.table,
    transforms: Object.entries(written.transforms).map(([tensor, transform]) =>
      compileTransform(tensor, transform, [...path, 'transforms', tensor], report),
    ),
    label: written.label && { column: written.label.column, greaterThan: written.label.greaterThan },
    split: written.split && { by: written.split.by, evaluateShare: parseShare(written.split.evaluate) },
    batchRows: written.batchRows ?? DEFAULT_BATCH_ROWS,
    shards: written.shards ?? (written.shardRows === undefined ? DEFAULT_SHARDS : undefined),
    shardRows: written.shardRows,
    seed: written.seed ?? 0,
    schedule:
      written.schedule === undefined ? undefined : { everyMs: parseMs(written.schedule.slice('every '.length)) },
    trainer: written.trainer && {
      url: written.trainer.url.replace(/\/+$/, ''),
      audience: written.trainer.audience ?? written.trainer.url,
    },
  };
}

const TRANSFORM_KINDS = ['as', 'part', 'normalise', 'vocabulary'] as const;

function compileTransform(
  tensor: string,
  written: WrittenTransform,
  path: readonly string[],
  report: Report,
): Transform {
  const kinds = TRANSFORM_KINDS.filter((kind) => written[kind] !== undefined);
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'says no way to make it' : `names ${kinds.join(' and ')}`;
    report(path, found, `Give exactly one of ${TRANSFORM_KINDS.join(', ')}`);
  }
  if (written.oneHot !== undefined && written.part === undefined) {
    report([...path, 'oneHot'], 'is given without `part`', 'Use it on a timestamp part, or remove it');
  }
  if (written.zone !== undefined && written.part === undefined) {
    report([...path, 'zone'], 'is given without `part`', 'Remove it');
  }
  const base = { tensor, column: written.column };
  if (written.part !== undefined) {
    return { ...base, kind: 'part', part: written.part, zone: written.zone ?? 'UTC', oneHot: written.oneHot };
  }
  if (written.normalise !== undefined) {
    return { ...base, kind: 'normalise', method: written.normalise, fillNull: written.fillNull };
  }
  if (written.vocabulary !== undefined) {
    return {
      ...base,
      kind: 'vocabulary',
      maxSize: written.vocabulary.maxSize,
      unknown: written.vocabulary.unknown ?? 1,
    };
  }
  if (written.fillNull === 'mean') {
    report([...path, 'fillNull'], 'is `mean`, which a cast does not know', 'Give a number, or use `normalise`');
  }
  const fillNull = typeof written.fillNull === 'number' ? written.fillNull : undefined;
  return { ...base, kind: 'cast', as: written.as ?? 'float32', fillNull };
}

function mapEntries<V, W>(
  record: Readonly<Record<string, V>> | undefined,
  map: (value: V, name: string) => W,
): Record<string, W> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([name, value]) => [name, map(value, name)]));
}
