import type { Pipeline, RecordFormat, SchemaSource } from './declaration.ts';
import type { Report } from './finding.ts';
import { reportMissingFields } from './missing-fields.ts';
import type { WrittenPipeline, WrittenSchemaSource } from './schema.ts';
import { isPattern, targetsOf } from './target-settings.ts';
import { parseBytes, parseMs, parseShare } from './units.ts';

const DEFAULT_BATCH = { maxRows: 5_000, maxBytes: '4MiB', linger: '50ms' };
const MAX_BATCH_BYTES = 64 * 1024 * 1024;
/** Spanner's own limit. */
const MAX_COMMIT_DELAY_MS = 500;
const DEFAULT_POISON_SAMPLE = 1_000;

/** Reads a file beside the declaration; undefined when there is none. */
export type ReadBeside = (file: string) => string | undefined;

interface Place {
  readonly path: readonly string[];
  readonly report: Report;
  readonly readBeside: ReadBeside;
}

/** One pipeline with its units resolved and its defaults filled in. */
export function pipelineSettings(
  name: string,
  written: WrittenPipeline,
  { report, readBeside }: Omit<Place, 'path'>,
): Pipeline {
  const path = ['pipelines', name];
  const place = { path, report, readBeside };
  const format = formatOf(written.format, written.schema, written.debezium, { ...place, path: [...path, 'schema'] });
  if (written.debezium && written.format !== 'debezium') {
    report([...path, 'debezium'], `has no meaning for format \`${written.format}\``, 'Remove it');
  }
  const keyFormat =
    written.keyFormat &&
    formatOf(written.keyFormat, written.keySchema, undefined, { ...place, path: [...path, 'keySchema'] });
  reportMissingFields(written, path, report);
  return {
    name,
    source: sourceOf(name, written, place),
    format,
    keyFormat,
    targets: targetsOf(written, path, report),
    unrouted: written.unrouted ?? 'set-aside',
    onPoison: written.onPoison ?? 'set-aside',
    poisonLimit: written.poisonLimit && {
      share: parseShare(written.poisonLimit.share),
      of: written.poisonLimit.of ?? DEFAULT_POISON_SAMPLE,
    },
    onDrift: written.onDrift ?? 'refuse',
    batch: batchOf(written, place),
    commit: commitOf(written, place),
  };
}

function sourceOf(name: string, { source }: WrittenPipeline, { path, report }: Place): Pipeline['source'] {
  if (!('kafka' in source)) {
    const { subscription, pushedBy } = source.pubsub;
    return { kind: 'pubsub', subscription, ...(pushedBy !== undefined && { pushedBy }) };
  }
  const { topic, topics, pattern, group = `penstock-${name}` } = source.kafka;
  const given = [topic, topics, pattern].filter((choice) => choice !== undefined).length;
  const at = [...path, 'source', 'kafka'];
  if (given !== 1) report(at, `names topics in ${given} ways`, 'Give exactly one of topic, topics, pattern');
  if (pattern !== undefined && !isPattern(pattern)) {
    report([...at, 'pattern'], `is ${JSON.stringify(pattern)}`, 'It must be a regular expression');
  }
  return { kind: 'kafka', topics: topics ?? (topic === undefined ? [] : [topic]), pattern, group };
}

function batchOf({ batch }: WrittenPipeline, { path, report }: Place): Pipeline['batch'] {
  const maxBytes = parseBytes(batch?.maxBytes ?? DEFAULT_BATCH.maxBytes);
  if (maxBytes < 1 || maxBytes > MAX_BATCH_BYTES) {
    report([...path, 'batch', 'maxBytes'], `is ${batch?.maxBytes}`, 'Choose from 1B to 64MiB; aim for 1MiB to 5MiB');
  }
  return {
    maxRows: batch?.maxRows ?? DEFAULT_BATCH.maxRows,
    maxBytes,
    lingerMs: parseMs(batch?.linger ?? DEFAULT_BATCH.linger),
  };
}

function commitOf({ commit }: WrittenPipeline, { path, report }: Place): Pipeline['commit'] {
  const maxDelayMs = parseMs(commit?.maxDelay ?? '0ms');
  if (maxDelayMs > MAX_COMMIT_DELAY_MS) {
    const remedy = `Spanner delays a commit by ${MAX_COMMIT_DELAY_MS}ms at most`;
    report([...path, 'commit', 'maxDelay'], `is ${commit?.maxDelay}`, remedy);
  }
  return {
    priority: commit?.priority ?? 'medium',
    maxDelayMs,
    tag: commit?.tag,
    excludeFromChangeStreams: commit?.excludeFromChangeStreams ?? false,
  };
}

function formatOf(
  format: WrittenPipeline['format'],
  written: WrittenSchemaSource | undefined,
  debezium: WrittenPipeline['debezium'],
  place: Place,
): RecordFormat {
  const { path, report } = place;
  if (written?.message !== undefined && format !== 'protobuf') {
    report([...path, 'message'], `has no meaning for format \`${format}\``, 'Remove it');
  }
  if (format === 'json' || format === 'bytes') {
    if (written) report(path, `has no meaning for format \`${format}\``, 'Remove it, or use `format: json-schema`');
    return { kind: format };
  }
  const schema = schemaOf(written, place);
  if (format === 'protobuf') return { kind: format, schema, message: written?.message };
  if (format !== 'debezium') return { kind: format, schema };
  const { encoding = 'json', flattened = false } = debezium ?? {};
  return { kind: format, encoding, schema, flattened };
}

function schemaOf(written: WrittenSchemaSource | undefined, { path, report, readBeside }: Place): SchemaSource {
  const file = written?.file;
  if (file === undefined) return { kind: 'registry' };
  const text = readBeside(file);
  if (text === undefined)
    report([...path, 'file'], `is ${file}, which cannot be read`, 'Put the schema beside the declaration');
  return { kind: 'file', file, text: text ?? '' };
}
