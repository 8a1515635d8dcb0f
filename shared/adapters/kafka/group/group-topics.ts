import type { TopicSource } from '../driver.ts';
import type { Cluster } from '../wire/cluster.ts';

/** The topics that a source means now, in order, with how many partitions each has. */
export async function findPartitionCounts(cluster: Cluster, source: TopicSource): Promise<ReadonlyMap<string, number>> {
  const { topics } = await cluster.metadata(source instanceof RegExp ? undefined : source);
  const found = [...topics.values()].filter(({ topic, isInternal }) =>
    // A topic of Kafka's own is read only by who names it.
    source instanceof RegExp ? !isInternal && matches(source, topic) : true,
  );
  return new Map(found.map(({ topic, partitions }) => [topic, partitions.length] as const).sort(byName));
}

/** A pattern that is global or sticky remembers where it stopped. */
function matches(pattern: RegExp, topic: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(topic);
}

function byName([one]: readonly [string, number], [other]: readonly [string, number]): number {
  return one < other ? -1 : 1;
}
