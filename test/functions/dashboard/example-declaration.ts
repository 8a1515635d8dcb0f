import type { Declaration, Feed, Pipeline } from '../../../shared/model/config/declaration.ts';

/** A declaration with these pipelines and one feed. */
export function exampleDeclaration(
  pipelines: Readonly<Record<string, Pipeline['source']>>,
  {
    database = 'projects/demo/instances/main/databases/flights',
    feeds = { delays: 'http://127.0.0.1:9' },
  }: { database?: string; feeds?: Readonly<Record<string, string>> } = {},
): Declaration {
  return {
    version: 1,
    spanner: { database },
    kafka: { brokers: ['127.0.0.1:9'] },
    pipelines: Object.fromEntries(Object.entries(pipelines).map(([name, source]) => [name, pipelineOf(name, source)])),
    feeds: Object.fromEntries(Object.entries(feeds).map(([name, url]) => [name, feedOf(name, url)])),
    secrets: {},
    access: undefined,
  };
}

export function kafka(topic: string): Pipeline['source'] {
  return { kind: 'kafka', topic, group: `penstock-${topic}` };
}

export function pubsub(subscription: string): Pipeline['source'] {
  return { kind: 'pubsub', subscription };
}

function pipelineOf(name: string, source: Pipeline['source']): Pipeline {
  return {
    name,
    source,
    format: 'json',
    table: name.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase()),
    mode: 'upsert',
    tombstones: 'delete',
    columns: [],
    guard: undefined,
    aggregate: undefined,
    onPoison: 'set-aside',
    onDrift: 'refuse',
    batch: { maxRows: 5_000, maxBytes: 4 * 1024 * 1024, lingerMs: 50 },
    commit: { priority: 'medium', maxDelayMs: 0, tag: undefined },
  };
}

function feedOf(name: string, url: string): Feed {
  return {
    name,
    table: 'Flights',
    transforms: [],
    label: undefined,
    split: undefined,
    batchRows: 1_024,
    shards: 8,
    shardRows: undefined,
    seed: 7,
    schedule: { everyMs: 86_400_000 },
    trainer: { url, audience: url },
  };
}
