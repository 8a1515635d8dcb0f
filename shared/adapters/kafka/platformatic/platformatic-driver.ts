import { Consumer, type GroupOptions } from '@platformatic/kafka';
import { messageOf } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import type {
  KafkaDriver,
  Subscription,
  SubscriptionHandlers,
  SubscriptionOptions,
  TopicPartition,
  TopicSource,
} from '../driver.ts';
import { RecordFeed } from '../fetch/record-feed.ts';
import { findPartitionCounts } from '../group/group-topics.ts';
import type { KafkaAccess } from '../kafka-auth.ts';
import { sleep } from '../wire/backoff.ts';
import { type Cluster, openCluster } from '../wire/cluster.ts';
import { platformaticAccess } from './platformatic-access.ts';
import { platformaticFetch } from './platformatic-fetch.ts';

const LOOK_EVERY_MS = 10_000;
const HEARTBEATS = 10;
const NO_EPOCH = -1;

export interface PlatformaticDriverOptions {
  readonly access: KafkaAccess;
  readonly clientId: string;
  readonly log: Log;
  /** How often topics are looked at for new partitions and new names, in milliseconds; 10,000 unless given. */
  readonly lookEveryMs?: number;
}

/**
 * Opens Kafka through @platformatic/kafka: its membership, its fetches, its decoding. Where the next fetch begins, what waits
 * and what is paused is decided here, as for our own connections. A partition delivers nothing before it is sought.
 */
export function openPlatformaticDriver(options: PlatformaticDriverOptions): KafkaDriver {
  const cluster = openCluster(options.access, options.clientId);
  return {
    topicId: async (topic) => (await cluster.metadata([topic])).topics.get(topic)?.topicId,
    describeTopic: (topic) => cluster.describeTopic(topic),
    findTopics: async (source) => [...(await findPartitionCounts(cluster, source)).keys()],
    subscribe: (wanted, handlers) => subscribe(options, cluster, wanted, handlers),
    async close() {
      cluster.close();
    },
  };
}

async function subscribe(
  { access, clientId, log, lookEveryMs = LOOK_EVERY_MS }: PlatformaticDriverOptions,
  cluster: Cluster,
  { group, topics, maxWaitMs, sessionTimeoutMs }: SubscriptionOptions,
  handlers: SubscriptionHandlers,
): Promise<Subscription> {
  const base = {
    ...(await platformaticAccess(access)),
    clientId,
    groupId: group,
    retries: 0,
    metadataMaxAge: lookEveryMs,
  };
  const times = {
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: sessionTimeoutMs,
    heartbeatInterval: Math.round(sessionTimeoutMs / HEARTBEATS),
  };
  const member = new Consumer({ ...base, retries: 3, ...times });
  // A long poll holds up what comes behind it on the same connection.
  const fetcher = new Consumer(base);
  const over = new AbortController();
  const end = (error: Error): void => {
    if (over.signal.aborted) return;
    over.abort();
    handlers.onEnded(error);
  };
  const feed = new RecordFeed({
    transport: {
      metadata: (names) => cluster.metadata(names),
      fetch: (leader, wishes, limits) => platformaticFetch(fetcher, leader, wishes, limits),
    },
    maxWaitMs,
    log,
    handlers: { onBatch: handlers.onBatch, onPositionLost: handlers.onPositionLost, onEnded: end },
  });
  const one = ({ topic, partition }: TopicPartition) => ({ topic, partition, leaderEpoch: NO_EPOCH });
  const subscription: Subscription = {
    seek: (partition, offset) => feed.seek(partition, offset),
    pause: (partition) => feed.setPaused(partition, true),
    resume: (partition) => feed.setPaused(partition, false),
    commitOffsets: (offsets) =>
      member.commit({ offsets: offsets.map(({ offset, ...partition }) => ({ ...one(partition), offset })) }),
    async stop() {
      over.abort();
      await feed.stop();
      await watching;
      try {
        await member.leaveGroup(true);
      } catch (error) {
        log('DEBUG', `Left group ${group} without its word: ${messageOf(error)}`);
      }
      await Promise.allSettled([member.close(true), fetcher.close(true)]);
      await feed.stopped();
    },
  };
  const assign = (held: readonly TopicPartition[]): void => {
    // It gives up every partition at a rebalance, so that none is kept.
    const assigned = held.map(({ topic, partition }) => ({ topic, partition, kept: false }));
    feed.assign(assigned);
    handlers.onAssigned(assigned, subscription);
  };
  member.on('consumer:group:join', ({ assignments = [] }) => {
    if (over.signal.aborted) return;
    assign(assignments.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition }))));
  });
  member.on('consumer:heartbeat:stalled', ({ lastError }) => {
    end(new Error(`Group ${group} has not heard from us for too long`, { cause: lastError }));
  });
  const join = (): Promise<string> => joinGroup(cluster, member, topics, times);
  let watching: Promise<void> = Promise.resolve();
  try {
    const known = await join();
    watching = watchTopics({ cluster, topics, known, lookEveryMs, signal: over.signal, log }, async () => {
      assign([]);
      await member.leaveGroup(true);
      return await join();
    });
  } catch (error) {
    await Promise.allSettled([feed.stop(), member.close(true), fetcher.close(true)]);
    throw error;
  }
  return subscription;
}

/** @returns what the topics were at that time */
async function joinGroup(
  cluster: Cluster,
  member: Consumer,
  topics: TopicSource,
  times: GroupOptions,
): Promise<string> {
  const counts = await findPartitionCounts(cluster, topics);
  member.topics.clear();
  for (const topic of topics instanceof RegExp ? counts.keys() : topics) member.topics.track(topic);
  await member.joinGroup(times);
  return JSON.stringify([...counts]);
}

/** The library takes no notice of new partitions and topics: who sees some leaves and joins again. */
async function watchTopics(
  {
    cluster,
    topics,
    lookEveryMs,
    signal,
    log,
    ...at
  }: {
    readonly cluster: Cluster;
    readonly topics: TopicSource;
    readonly known: string;
    readonly lookEveryMs: number;
    readonly signal: AbortSignal;
    readonly log: Log;
  },
  rejoin: () => Promise<string>,
): Promise<void> {
  let { known } = at;
  while (!signal.aborted) {
    await sleep(lookEveryMs, signal);
    if (signal.aborted) return;
    try {
      const seen = JSON.stringify([...(await findPartitionCounts(cluster, topics))]);
      if (seen !== known && !signal.aborted) known = await rejoin();
    } catch (error) {
      log('INFO', `Cannot look for new partitions: ${messageOf(error)}`);
    }
  }
}
