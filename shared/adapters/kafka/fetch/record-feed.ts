import { messageOf } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import type { AssignedPartition, SubscriptionHandlers, TopicPartition } from '../driver.ts';
import { BrokerError, BrokerUnreachableError, kafkaCode, MalformedAnswerError } from '../kafka-errors.ts';
import { openBackoff, sleep } from '../wire/backoff.ts';
import type { FetchAnswer, FetchLimits, FetchWish } from '../wire/fetch.ts';
import type { ClusterMetadata } from '../wire/metadata.ts';
import { PartitionFeed } from './partition-feed.ts';

const MIB = 1024 * 1024;
/** Bytes of one fetch and of one partition in it. A larger batch still comes, alone: the broker sends at least one. */
const MAX_BYTES = 4 * MIB;
const MAX_PARTITION_BYTES = MIB;
/** Longer, a partition that is resumed would wait too long for a poll that does not name it. */
const MAX_WAIT_MS = 500;
/** While some partition is busy, so that it is asked for soon after. */
const BUSY_WAIT_MS = 10;
/** Batches that are with the owner at a time, each of another partition. */
const MAX_CONCURRENT = 8;
/** Before the owner is told that a position is gone: the brokers' views of it may differ for a moment. */
const LOST_AFTER_MS = 200;

const staleLeader: ReadonlySet<number> = new Set([
  kafkaCode.unknownTopicOrPartition,
  kafkaCode.leaderNotAvailable,
  kafkaCode.notLeaderOrFollower,
  kafkaCode.replicaNotAvailable,
  kafkaCode.kafkaStorageError,
  kafkaCode.fencedLeaderEpoch,
  kafkaCode.unknownLeaderEpoch,
  kafkaCode.offsetNotAvailable,
  kafkaCode.unknownTopicId,
  kafkaCode.inconsistentTopicId,
]);

/** How brokers are asked. */
export interface RecordTransport {
  metadata(topics: readonly string[]): Promise<Pick<ClusterMetadata, 'topics'>>;
  fetch(leader: number, wishes: readonly FetchWish[], limits: FetchLimits): Promise<readonly FetchAnswer[]>;
}

export interface RecordFeedOptions {
  readonly transport: RecordTransport;
  readonly maxWaitMs: number;
  readonly log: Log;
  readonly handlers: Pick<SubscriptionHandlers, 'onBatch' | 'onPositionLost' | 'onEnded'>;
}

/**
 * Fetches the partitions that are held: one long poll at a time to each leader, for all of its partitions that want more. At
 * most one fetch of a partition waits while another is being committed.
 */
export class RecordFeed {
  private readonly options: RecordFeedOptions;
  private readonly over = new AbortController();
  private feeds = new Map<string, PartitionFeed>();
  private readonly loops = new Map<number, Promise<void>>();
  private readonly queue: PartitionFeed[] = [];
  private readonly delivering = new Set<Promise<void>>();
  private refreshing: Promise<void> | undefined;
  /** Aborted when something may have become fetchable. */
  private wake = new AbortController();
  private rotation = 0;

  constructor(options: RecordFeedOptions) {
    this.options = options;
  }

  assign(partitions: readonly AssignedPartition[]): void {
    const before = this.feeds;
    this.feeds = new Map();
    for (const one of partitions) {
      const name = nameOf(one);
      const kept = one.kept ? before.get(name) : undefined;
      this.feeds.set(name, kept ?? new PartitionFeed(one, before.get(name)));
    }
    for (const [name, feed] of before) {
      if (this.feeds.get(name) === feed) continue;
      feed.isHeld = false;
      feed.drop();
    }
    this.go();
  }

  seek(partition: TopicPartition, offset: bigint): void {
    this.feeds.get(nameOf(partition))?.seek(offset);
    this.go();
  }

  setPaused(partition: TopicPartition, isPaused: boolean): void {
    const feed = this.feeds.get(nameOf(partition));
    if (!feed) return;
    feed.isPaused = isPaused;
    this.schedule(feed);
    this.go();
  }

  /** Hands on nothing more, and waits for batches in hand. */
  async stop(): Promise<void> {
    this.over.abort();
    this.wake.abort();
    await Promise.allSettled(this.delivering);
  }

  /** Waits for what fetches; to be called after the connections were closed. */
  async stopped(): Promise<void> {
    await Promise.allSettled([...this.loops.values(), this.refreshing]);
  }

  private get isOver(): boolean {
    return this.over.signal.aborted;
  }

  /** Something has changed: looks up leaders, and starts or wakes the loops. */
  private go(): void {
    if (this.isOver) return;
    if ([...this.feeds.values()].some(({ isLost }) => isLost)) {
      this.refreshing ??= this.refresh().finally(() => {
        this.refreshing = undefined;
        // One that was lost after the last look.
        if ([...this.feeds.values()].some(({ isLost }) => isLost)) this.go();
      });
    }
    for (const { leader, isStale } of this.feeds.values()) {
      if (leader === undefined || isStale || this.loops.has(leader)) continue;
      this.loops.set(
        leader,
        this.poll(leader).finally(() => {
          this.loops.delete(leader);
          // One that came back to this leader after the last look.
          if ([...this.feeds.values()].some((feed) => feed.leader === leader && !feed.isStale)) this.go();
        }),
      );
    }
    this.wake.abort();
    this.wake = new AbortController();
  }

  private end(error: unknown): void {
    if (this.isOver) return;
    this.over.abort();
    this.wake.abort();
    this.options.handlers.onEnded(error instanceof Error ? error : new Error(String(error)));
  }

  /** Looks up leaders until each partition has one. */
  private async refresh(): Promise<void> {
    const backoff = openBackoff(this.over.signal);
    for (;;) {
      const lost = [...this.feeds.values()].filter(({ isLost }) => isLost);
      if (lost.length === 0 || this.isOver) return;
      try {
        const names = [...new Set(lost.map(({ topic }) => topic))];
        const { topics } = await this.options.transport.metadata(names);
        for (const feed of lost) {
          const found = topics.get(feed.topic);
          const led = found?.partitions.find(({ partition }) => partition === feed.partition);
          if (!found || !led || led.leader < 0) continue;
          if (feed.topicId !== undefined && feed.topicId !== found.topicId) {
            this.lose(feed, new Error(`topic ${feed.topic} was deleted and made again`));
          }
          Object.assign(feed, { topicId: found.topicId, leader: led.leader, leaderEpoch: led.leaderEpoch });
          feed.isStale = false;
        }
        this.go();
      } catch (error) {
        if (!isPassing(error)) return this.end(error);
        this.options.log('INFO', `Cannot look up leaders: ${messageOf(error)}`);
      }
      if ([...this.feeds.values()].some(({ isLost }) => isLost)) await backoff.wait();
    }
  }

  /** Fetches from one leader as long as it leads partitions of ours. */
  private async poll(leader: number): Promise<void> {
    const backoff = openBackoff(this.over.signal);
    while (!this.isOver) {
      const led = [...this.feeds.values()].filter((feed) => feed.leader === leader && !feed.isStale);
      if (led.length === 0) return;
      const wanted = this.rotate(led.filter(({ wish }) => wish !== undefined));
      if (wanted.length === 0) {
        await sleep(MAX_WAIT_MS, this.over.signal, this.wake.signal);
        continue;
      }
      try {
        const isAnyFull = led.some(({ isFull }) => isFull);
        if (await this.fetch(leader, wanted, isAnyFull)) backoff.reset();
        else await backoff.wait();
      } catch (error) {
        if (this.isOver) return;
        if (!isPassing(error)) return this.end(error);
        this.options.log('INFO', `Cannot fetch from broker ${leader}: ${messageOf(error)}`);
        for (const feed of led) feed.isStale = true;
        await backoff.wait();
        this.go();
      }
    }
  }

  /** Each partition comes first in turn: only the first is certain to get a batch that is larger than the limit. */
  private rotate(feeds: readonly PartitionFeed[]): readonly PartitionFeed[] {
    const at = this.rotation++ % Math.max(1, feeds.length);
    return [...feeds.slice(at), ...feeds.slice(0, at)];
  }

  /** @returns false when a partition could not be fetched */
  private async fetch(leader: number, wanted: readonly PartitionFeed[], isAnyFull: boolean): Promise<boolean> {
    const { transport, maxWaitMs } = this.options;
    const asked = wanted.map((feed) => ({ feed, era: feed.era, offset: feed.wish ?? 0n, topicId: feed.topicId ?? '' }));
    const answers = await transport.fetch(
      leader,
      asked.map(({ feed, offset, topicId }) => {
        return { topicId, partition: feed.partition, leaderEpoch: feed.leaderEpoch, offset };
      }),
      {
        maxWaitMs: Math.min(isAnyFull ? BUSY_WAIT_MS : MAX_WAIT_MS, Math.max(1, maxWaitMs)),
        maxBytes: MAX_BYTES,
        maxPartitionBytes: MAX_PARTITION_BYTES,
      },
    );
    let isWell = true;
    for (const answer of answers) {
      const question = asked.find(
        ({ feed, topicId }) => feed.partition === answer.partition && topicId === answer.topicId,
      );
      // What was sought elsewhere or given away meanwhile does not count any more.
      if (!question || question.era !== question.feed.era) continue;
      isWell = this.take(question.feed, question.offset, answer) && isWell;
    }
    return isWell;
  }

  private take(feed: PartitionFeed, fetchedFrom: bigint, { code, highWatermark, read }: FetchAnswer): boolean {
    const { topic, partition } = feed;
    if (code === kafkaCode.none) {
      feed.highWatermark = highWatermark;
      feed.put(read({ topic, partition, fetchedFrom }));
      this.schedule(feed);
      return true;
    }
    const error = new BrokerError(`Fetching ${topic}/${partition} from ${fetchedFrom}`, code);
    if (code === kafkaCode.offsetOutOfRange) this.lose(feed, error);
    else if (staleLeader.has(code)) {
      feed.isStale = true;
      this.go();
    } else throw error;
    return false;
  }

  /** The position means nothing any more; its owner has to say where to go on. */
  private lose(feed: PartitionFeed, reason: Error): void {
    feed.drop();
    const { era, topic, partition } = feed;
    void sleep(LOST_AFTER_MS, this.over.signal).then(() => {
      if (feed.isHeld && feed.era === era && !this.isOver) {
        this.options.handlers.onPositionLost({ topic, partition }, reason);
      }
    });
  }

  private schedule(feed: PartitionFeed): void {
    if (!feed.isQueued && feed.hasMore) {
      feed.isQueued = true;
      this.queue.push(feed);
    }
    while (this.delivering.size < MAX_CONCURRENT && !this.isOver) {
      const next = this.queue.shift();
      if (!next) return;
      next.isQueued = false;
      const delivery: Promise<void> = this.deliver(next).finally(() => {
        this.delivering.delete(delivery);
        this.schedule(next);
      });
      this.delivering.add(delivery);
    }
  }

  /** Hands one slice on. */
  private async deliver(feed: PartitionFeed): Promise<void> {
    if (!feed.hasMore) return;
    const { topic, partition, topicId, highWatermark } = feed;
    feed.isBusy = true;
    try {
      const slice = feed.next();
      // What lay waiting is in hand now, so that the next fetch can begin.
      this.go();
      if (!slice) return;
      const keepAlive = async (): Promise<void> => {
        if (!feed.isHeld) throw new Error(`Partition ${topic}/${partition} is no longer ours`);
        if (this.isOver) throw new Error(`The subscription to ${topic}/${partition} ends`);
      };
      await this.options.handlers.onBatch({ topic, partition, topicId, highWatermark, ...slice, keepAlive });
    } catch (error) {
      if (feed.isHeld) this.end(error);
    } finally {
      feed.isBusy = false;
      const successor = this.feeds.get(nameOf(feed));
      if (successor && successor !== feed) this.schedule(successor);
    }
  }
}

/** Whether the brokers may answer in a moment. */
function isPassing(error: unknown): boolean {
  if (error instanceof BrokerError) return staleLeader.has(error.kafkaCode) || error.kafkaCode < 0;
  return error instanceof BrokerUnreachableError || error instanceof MalformedAnswerError;
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
