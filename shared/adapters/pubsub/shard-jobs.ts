import { PubSub } from '@google-cloud/pubsub';
import { PenstockError } from '../../base/errors.ts';

const PUBLISH_TIMEOUT_MS = 20_000;
/** Of google.rpc.Code. */
const NOT_FOUND = 5;

/** Publishes which shards are to be read. */
export interface ShardJobs {
  /**
   * Resolves when Pub/Sub has all of them. The order is the order of publishing; Pub/Sub may deliver in another.
   *
   * @param traceparent becomes an attribute of each message
   *
   * @throws {PenstockError} with code `CONFIG` when there is no such topic
   */
  publish(epoch: string, shards: Iterable<number>, traceparent?: string): Promise<void>;
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
    async publish(epoch, shards, traceparent) {
      const attributes = traceparent === undefined ? {} : { traceparent };
      const published: Promise<string>[] = [];
      for (const shard of shards) published.push(publisher.publishMessage({ json: { epoch, shard }, attributes }));
      await Promise.all(published).catch((error: unknown) => {
        throw isMissing(error) ? missingTopic(topic, error) : error;
      });
    },
    async close() {
      await publisher.flush();
      await client.close();
    },
  };
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === NOT_FOUND;
}

function missingTopic(topic: string, cause: unknown): PenstockError {
  return new PenstockError(`There is no topic ${topic} to publish shard jobs to`, {
    code: 'CONFIG',
    remedy: 'Create it, or name another in PENSTOCK_SHARD_TOPIC; the next request of the same tick publishes them',
    retryable: false,
    cause,
  });
}
