import { PubSub } from '@google-cloud/pubsub';

const PUBLISH_TIMEOUT_MS = 20_000;

/** Publishes which shards are to be read. */
export interface ShardJobs {
  /** Resolves when Pub/Sub has all of them. The order is the order of publishing; Pub/Sub may deliver in another. */
  publish(epoch: string, shards: Iterable<number>): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the topic of shard jobs; follows PUBSUB_EMULATOR_HOST. A message is `{"epoch":…,"shard":n}` and never holds data.
 *
 * @param topic short name, or `projects/P/topics/T`
 */
export function openShardJobs(topic: string, projectId: string): ShardJobs {
  const client = new PubSub({ projectId });
  const publisher = client.topic(topic, {
    batching: { maxMessages: 500, maxMilliseconds: 5 },
    gaxOpts: { timeout: PUBLISH_TIMEOUT_MS },
  });
  return {
    async publish(epoch, shards) {
      const published: Promise<string>[] = [];
      for (const shard of shards) published.push(publisher.publishMessage({ json: { epoch, shard } }));
      await Promise.all(published);
    },
    async close() {
      await publisher.flush();
      await client.close();
    },
  };
}
