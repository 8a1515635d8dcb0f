import type { RawRecord } from '../../model/events/raw-record.ts';

/** A partition's log: offsets in `[earliest, end)` can be read. */
export interface PartitionLog {
  readonly partition: number;
  readonly earliest: bigint;
  readonly end: bigint;
}

/** A topic as its brokers describe it. */
export interface TopicState {
  /** Given when the topic was created; another one means another topic of the same name. */
  readonly topicId: string;
  readonly partitions: readonly PartitionLog[];
}

/** Records of one partition, as one fetch brought them. */
export interface PartitionBatch {
  readonly partition: number;
  /** The offset that was asked for. */
  readonly fetchedFrom: bigint;
  /** Where the next fetch goes on: after the last record, control records included. */
  readonly nextOffset: bigint;
  /** In order; empty where the log had only control records. */
  readonly records: readonly RawRecord[];
  readonly highWatermark: bigint;
  /**
   * Tells the group that this member lives; to be called every few seconds while a batch takes longer.
   *
   * @throws when the group rebalances: stop, and let the error go through
   */
  keepAlive(): Promise<void>;
}

/** What a subscription tells its owner. */
export interface SubscriptionHandlers {
  /** The partitions of this member from now on, all of them; earlier ones that are not named are gone. */
  onAssigned(partitions: readonly number[], subscription: Subscription): void;
  /** Called for one batch of a partition at a time; the next one is fetched when it resolves. */
  onBatch(batch: PartitionBatch): Promise<void>;
  /** The subscription has ended by itself, and will deliver nothing more. */
  onEnded(error: Error): void;
}

export interface SubscriptionOptions {
  readonly group: string;
  readonly topic: string;
  /** How long the broker may wait for records to arrive, in milliseconds. */
  readonly maxWaitMs: number;
  /** How long the group waits for a member that says nothing before it gives its partitions away, in milliseconds. */
  readonly sessionTimeoutMs: number;
}

/** Membership in a consumer group. */
export interface Subscription {
  /** The partition's next fetch begins at this offset. */
  seek(partition: number, offset: bigint): void;
  pause(partition: number): void;
  resume(partition: number): void;
  /** Tells Kafka where the group stands, as advice for lag tools. */
  commitOffsets(offsets: ReadonlyMap<number, bigint>): Promise<void>;
  /** Waits for batches in hand, leaves the group and disconnects. */
  stop(): Promise<void>;
}

/** A Kafka client, behind which any library can stand. */
export interface KafkaDriver {
  /** @returns undefined for a topic that does not exist */
  describeTopic(topic: string): Promise<TopicState | undefined>;
  /** @returns the topic's id as of now; undefined for a topic that does not exist */
  topicId(topic: string): Promise<string | undefined>;
  subscribe(options: SubscriptionOptions, handlers: SubscriptionHandlers): Promise<Subscription>;
  close(): Promise<void>;
}
