import type { RawRecord } from '../../model/events/records/raw-record.ts';

/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

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

/** Which topics a subscription reads: these, or all whose name matches, those that are created later included. */
export type TopicSource = readonly string[] | RegExp;

/** Records of one partition, as one fetch brought them. */
export interface PartitionBatch extends TopicPartition {
  /** The id of the very topic that these records were fetched from; undefined where the driver fetches by name. */
  readonly topicId: string | undefined;
  /** The offset that was asked for. */
  readonly fetchedFrom: bigint;
  /** Where the next fetch goes on: after the last record, control records included. */
  readonly nextOffset: bigint;
  /** In order; empty where the log had only control records. */
  readonly records: readonly RawRecord[];
  readonly highWatermark: bigint;
  /**
   * Tells the group that this member lives, where the driver does not by itself; to be called every few seconds while a
   * batch takes longer.
   *
   * @throws when the partition is no longer ours, or the group rebalances: stop, and let the error go through
   */
  keepAlive(): Promise<void>;
}

/** A partition that a member holds. */
export interface AssignedPartition extends TopicPartition {
  /** True when this member has held it without a break: its position, its batches and its pauses go on. */
  readonly kept: boolean;
}

/** What a subscription tells its owner. */
export interface SubscriptionHandlers {
  /** The partitions of this member from now on, all of them; earlier ones that are not named are gone. */
  onAssigned(partitions: readonly AssignedPartition[], subscription: Subscription): void;
  /** Called for one batch of a partition at a time; the next one comes when it resolves. */
  onBatch(batch: PartitionBatch): Promise<void>;
  /**
   * The log no longer has the partition's position, or the topic is another one of its name. Nothing more comes until the
   * partition is sought and resumed. A driver that cannot tell goes on at the log's beginning instead.
   */
  onPositionLost(partition: TopicPartition, reason: Error): void;
  /** The subscription has ended by itself, and will deliver nothing more. */
  onEnded(error: Error): void;
}

export interface SubscriptionOptions {
  readonly group: string;
  readonly topics: TopicSource;
  /** How long the broker may wait for records to arrive, in milliseconds. */
  readonly maxWaitMs: number;
  /** How long the group waits for a member that says nothing before it gives its partitions away, in milliseconds. */
  readonly sessionTimeoutMs: number;
}

/** Where a group stands in a partition. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: bigint;
}

/** Membership in a consumer group. */
export interface Subscription {
  /** The partition's next fetch begins at this offset; what was fetched before is dropped. */
  seek(partition: TopicPartition, offset: bigint): void;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /** Tells Kafka where the group stands, as advice for lag tools. */
  commitOffsets(offsets: readonly PartitionOffset[]): Promise<void>;
  /** Waits for batches in hand, leaves the group and disconnects. */
  stop(): Promise<void>;
}

/** A Kafka client, behind which any library can stand. */
export interface KafkaDriver {
  /** @returns undefined for a topic that does not exist */
  describeTopic(topic: string): Promise<TopicState | undefined>;
  /** @returns the topic's id as of now; undefined for a topic that does not exist */
  topicId(topic: string): Promise<string | undefined>;
  /** @returns the names of the topics that exist now, in order */
  findTopics(source: TopicSource): Promise<readonly string[]>;
  subscribe(options: SubscriptionOptions, handlers: SubscriptionHandlers): Promise<Subscription>;
  close(): Promise<void>;
}
