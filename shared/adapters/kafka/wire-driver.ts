import type { Log } from '../../base/log.ts';
import type { KafkaDriver, Subscription, SubscriptionHandlers, SubscriptionOptions } from './driver.ts';
import { RecordFeed } from './fetch/record-feed.ts';
import { findPartitionCounts } from './group/group-topics.ts';
import { openMembership } from './group/membership.ts';
import type { KafkaAccess } from './kafka-auth.ts';
import { openCluster } from './wire/cluster.ts';
import { askRecords } from './wire/fetch.ts';

const LOOK_EVERY_MS = 10_000;

export interface WireDriverOptions {
  readonly access: KafkaAccess;
  readonly clientId: string;
  readonly log: Log;
  /** How often topics are looked at for new partitions and new names, in milliseconds; 10,000 unless given. */
  readonly lookEveryMs?: number;
}

/**
 * Opens Kafka through connections of our own: records stay in the bytes that the brokers sent, checksums are compared, topics
 * are fetched by id, and rebalances are cooperative. Needs Kafka 3.1 or later. Nothing is sent before the first call.
 *
 * A partition delivers nothing before it is sought for the first time.
 */
export function openWireDriver(options: WireDriverOptions): KafkaDriver {
  const cluster = openCluster(options.access, options.clientId);
  return {
    topicId: async (topic) => (await cluster.metadata([topic])).topics.get(topic)?.topicId,
    describeTopic: (topic) => cluster.describeTopic(topic),
    findTopics: async (source) => [...(await findPartitionCounts(cluster, source)).keys()],
    subscribe: async (wanted, handlers) => subscribe(options, wanted, handlers),
    async close() {
      cluster.close();
    },
  };
}

function subscribe(
  { access, clientId, log, lookEveryMs = LOOK_EVERY_MS }: WireDriverOptions,
  { group, topics, maxWaitMs, sessionTimeoutMs }: SubscriptionOptions,
  handlers: SubscriptionHandlers,
): Subscription {
  // Long polls and joins hold up what comes behind them: each subscription has connections of its own.
  const cluster = openCluster(access, clientId);
  let hasEnded = false;
  const onEnded = (error: Error): void => {
    if (hasEnded) return;
    hasEnded = true;
    handlers.onEnded(error);
  };
  const feed = new RecordFeed({
    transport: {
      metadata: (names) => cluster.metadata(names),
      fetch: async (leader, wishes, limits) => askRecords(await cluster.connect(leader, 'fetch'), wishes, limits),
    },
    maxWaitMs,
    log,
    handlers: { onBatch: handlers.onBatch, onPositionLost: handlers.onPositionLost, onEnded },
  });
  const subscription: Subscription = {
    seek: (partition, offset) => feed.seek(partition, offset),
    pause: (partition) => feed.setPaused(partition, true),
    resume: (partition) => feed.setPaused(partition, false),
    commitOffsets: (offsets) => membership.commitOffsets(offsets),
    async stop() {
      hasEnded = true;
      await feed.stop();
      await membership.leave();
      cluster.close();
      await feed.stopped();
    },
  };
  const membership = openMembership({
    cluster,
    group,
    topics,
    sessionTimeoutMs,
    lookEveryMs,
    log,
    onAssigned: (partitions) => {
      feed.assign(partitions);
      handlers.onAssigned(partitions, subscription);
    },
    onEnded,
  });
  return subscription;
}
