import type { Declaration, Feed, Pipeline } from '../../../shared/model/config/declaration.ts';
import { plainDeclaration, plainKafka, plainPipeline } from '../../shared/model/config/plain-pipeline.ts';

/** A declaration with these pipelines and one feed. */
export function exampleDeclaration(
  pipelines: Readonly<Record<string, Pipeline['source']>>,
  {
    database = 'projects/demo/instances/main/databases/flights',
    feeds = { delays: 'http://127.0.0.1:9' },
  }: { database?: string; feeds?: Readonly<Record<string, string>> } = {},
): Declaration {
  return plainDeclaration({
    spanner: { database },
    kafka: plainKafka('127.0.0.1:9'),
    pipelines: Object.fromEntries(Object.entries(pipelines).map(([name, source]) => [name, pipelineOf(name, source)])),
    feeds: Object.fromEntries(Object.entries(feeds).map(([name, url]) => [name, feedOf(name, url)])),
  });
}

export function kafka(topic: string): Pipeline['source'] {
  return { kind: 'kafka', topics: [topic], pattern: undefined, group: `penstock-${topic}` };
}

export function pubsub(subscription: string): Pipeline['source'] {
  return { kind: 'pubsub', subscription };
}

function pipelineOf(name: string, source: Pipeline['source']): Pipeline {
  const table = name.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
  return plainPipeline({ table, pipeline: { name, source } });
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
