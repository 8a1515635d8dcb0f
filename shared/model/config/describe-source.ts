import type { Pipeline } from './declaration.ts';

/** Where a pipeline's records come from, in words. */
export function describeSource(source: Pipeline['source']): string {
  if (source.kind === 'pubsub') return `Pub/Sub ${source.subscription}`;
  return `Kafka ${source.pattern === undefined ? source.topics.join(', ') : `/${source.pattern}/`}`;
}
