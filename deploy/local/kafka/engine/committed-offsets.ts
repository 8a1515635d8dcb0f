import type { StateStore } from '../storage/state-store.ts';

const PREFIX = 'offset:';

/** What a group committed for one partition. */
export interface Committed {
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

type Partitions = Map<number, Committed>;

/** The committed offsets of all groups, kept in the store. */
export class CommittedOffsets {
  private readonly groups = new Map<string, Map<string, Partitions>>();
  private readonly store: StateStore;

  constructor(store: StateStore) {
    this.store = store;
    for (const [key, value] of store.entries(PREFIX)) {
      const [group, topic, partition] = JSON.parse(key) as [string, string, number];
      const [offset, leaderEpoch, metadata] = value as [string, number, string | null];
      this.partitions(group, topic).set(partition, { offset: BigInt(offset), leaderEpoch, metadata });
    }
  }

  set(group: string, topic: string, partition: number, committed: Committed): void {
    const { offset, leaderEpoch, metadata } = committed;
    this.partitions(group, topic).set(partition, committed);
    this.store.put(keyOf(group, topic, partition), [String(offset), leaderEpoch, metadata]);
  }

  /** Every partition that a group has committed. */
  topicsOf(group: string): ReadonlyMap<string, ReadonlyMap<number, Committed>> {
    return this.groups.get(group) ?? new Map();
  }

  groupIds(): string[] {
    return [...this.groups.keys()];
  }

  deletePartition(group: string, topic: string, partition: number): void {
    this.groups.get(group)?.get(topic)?.delete(partition);
    this.store.delete(keyOf(group, topic, partition));
  }

  deleteGroup(group: string): void {
    for (const topic of this.topicsOf(group).keys()) this.deleteTopicOf(group, topic);
    this.groups.delete(group);
  }

  deleteTopic(topic: string): void {
    for (const group of this.groups.keys()) this.deleteTopicOf(group, topic);
  }

  private deleteTopicOf(group: string, topic: string): void {
    for (const partition of this.topicsOf(group).get(topic)?.keys() ?? []) {
      this.store.delete(keyOf(group, topic, partition));
    }
    this.groups.get(group)?.delete(topic);
  }

  private partitions(group: string, topic: string): Partitions {
    const topics = this.groups.get(group) ?? new Map<string, Partitions>();
    this.groups.set(group, topics);
    const partitions = topics.get(topic) ?? new Map<number, Committed>();
    topics.set(topic, partitions);
    return partitions;
  }
}

function keyOf(group: string, topic: string, partition: number): string {
  return PREFIX + JSON.stringify([group, topic, partition]);
}
