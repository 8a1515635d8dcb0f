import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../protocol/error-code.ts';
import type { StateStore } from '../storage/state-store.ts';
import { KafkaError } from './kafka-error.ts';
import { Partition } from './partition.ts';
import { checkTopicConfig, effectiveSetting, type TopicConfig } from './topic-config.ts';

const PREFIX = 'topic:';
const LEGAL_NAME = /^[a-zA-Z0-9._-]{1,249}$/;
/** Of all topics together: each holds a file open. */
const MAX_PARTITIONS = 4000;

/** A topic and its partitions. */
export interface Topic {
  readonly id: string;
  readonly name: string;
  config: TopicConfig;
  readonly partitions: Partition[];
}

/** What must be kept to find a topic again after a restart. */
interface TopicRecord {
  readonly id: string;
  readonly name: string;
  readonly config: TopicConfig;
  readonly partitionCount: number;
  /** First offset by partition, where records were deleted. */
  readonly startOffsets: readonly number[];
}

/** All topics, by name and by id. */
export class Topics {
  private readonly byName = new Map<string, Topic>();
  private readonly byId = new Map<string, Topic>();
  private readonly dir: string | undefined;
  private readonly store: StateStore;

  /**
   * Opens the topics that the store names.
   *
   * @param options.dir where their logs lie; absent: in memory
   */
  constructor(options: { dir: string | undefined; store: StateStore }) {
    this.dir = options.dir;
    this.store = options.store;
    for (const [, record] of this.store.entries(PREFIX)) this.open(record as TopicRecord);
    this.removeOrphans();
  }

  all(): Topic[] {
    return [...this.byName.values()];
  }

  named(name: string): Topic | undefined {
    return this.byName.get(name);
  }

  withId(id: string): Topic | undefined {
    return this.byId.get(id);
  }

  /**
   * Says whether a topic could be made.
   *
   * @throws {KafkaError} the name, the number of partitions or a setting is not allowed, or the topic is there
   */
  checkNew(options: { name: string; partitionCount: number; config: TopicConfig }): void {
    const { name, partitionCount, config } = options;
    if (!LEGAL_NAME.test(name) || name === '.' || name === '..') {
      const message = `Topic name ${JSON.stringify(name)} is not allowed: 1 to 249 of a-z, A-Z, 0-9, '.', '_', '-'`;
      throw new KafkaError(errorCode.invalidTopic, message);
    }
    if (this.byName.has(name)) throw new KafkaError(errorCode.topicAlreadyExists, `Topic '${name}' already exists.`);
    this.checkPartitionCount(partitionCount);
    checkTopicConfig(config);
  }

  /** Makes a topic with a new random id. */
  create(options: { name: string; partitionCount: number; config: TopicConfig }): Topic {
    this.checkNew(options);
    const record = { ...options, id: randomBytes(16).toString('base64url'), startOffsets: [] };
    const topic = this.open(record);
    this.store.put(PREFIX + topic.id, record);
    return topic;
  }

  /** Deletes a topic with all that it holds. */
  delete(topic: Topic): void {
    this.byName.delete(topic.name);
    this.byId.delete(topic.id);
    this.store.delete(PREFIX + topic.id);
    for (const partition of topic.partitions) {
      partition.release();
      partition.log.remove();
    }
    if (this.dir !== undefined) rmSync(join(this.dir, topic.id), { recursive: true, force: true });
  }

  /**
   * Raises the number of partitions.
   *
   * @throws {KafkaError} INVALID_PARTITIONS when it would not grow
   */
  grow(topic: Topic, count: number, options: { validateOnly: boolean }): void {
    const from = topic.partitions.length;
    if (count <= from) {
      const message = `Topic ${topic.name} has ${from} partitions: ${count} is not more`;
      throw new KafkaError(errorCode.invalidPartitions, message);
    }
    this.checkPartitionCount(count - from);
    if (options.validateOnly) return;
    for (let index = from; index < count; index++) topic.partitions.push(this.openPartition(topic.id, index));
    this.changed(topic);
  }

  configure(topic: Topic, config: TopicConfig): void {
    topic.config = config;
    this.changed(topic);
  }

  /** Raises a partition's first offset. */
  deleteRecords(topic: Topic, partition: Partition, offset: number): void {
    partition.deleteBefore(offset);
    this.changed(topic);
  }

  /** Drops what is older than each topic's retention. */
  retain(now: number): void {
    for (const topic of this.byName.values()) {
      const retentionMs = Number(effectiveSetting(topic.config, 'retention.ms'));
      const deletes = effectiveSetting(topic.config, 'cleanup.policy').includes('delete');
      if (retentionMs < 0 || !deletes) continue;
      for (const partition of topic.partitions) partition.deleteOlderThan(now - retentionMs);
    }
  }

  close(): void {
    for (const partition of this.all().flatMap((topic) => topic.partitions)) {
      partition.release();
      partition.log.close();
    }
  }

  private open({ id, name, config, partitionCount, startOffsets }: TopicRecord): Topic {
    const partitions = Array.from({ length: partitionCount }, (_, index) =>
      this.openPartition(id, index, startOffsets[index]),
    );
    const topic: Topic = { id, name, config, partitions };
    this.byName.set(name, topic);
    this.byId.set(id, topic);
    return topic;
  }

  /** Logs without a topic are left when the broker is killed while it makes or deletes one. */
  private removeOrphans(): void {
    if (this.dir === undefined || !existsSync(this.dir)) return;
    for (const id of readdirSync(this.dir)) {
      if (!this.byId.has(id)) rmSync(join(this.dir, id), { recursive: true, force: true });
    }
  }

  private checkPartitionCount(added: number): void {
    if (added < 1) throw new KafkaError(errorCode.invalidPartitions, `${added} partitions are not allowed: at least 1`);
    const present = this.all().reduce((sum, { partitions }) => sum + partitions.length, 0);
    if (present + added > MAX_PARTITIONS) {
      const message = `${added} partitions beside ${present} are more than ${MAX_PARTITIONS}: delete topics or ask for fewer`;
      throw new KafkaError(errorCode.policyViolation, message);
    }
  }

  private openPartition(id: string, index: number, startOffset = 0): Partition {
    const dir = this.dir === undefined ? undefined : join(this.dir, id, String(index));
    return new Partition(index, { dir, startOffset });
  }

  private changed({ id, name, config, partitions }: Topic): void {
    const startOffsets = partitions.map(({ log }) => log.startOffset);
    this.store.put(PREFIX + id, {
      id,
      name,
      config,
      partitionCount: partitions.length,
      startOffsets,
    } satisfies TopicRecord);
  }
}
