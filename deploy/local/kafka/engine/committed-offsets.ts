/** What a group committed for one partition. */
export interface Committed {
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

/** The committed offsets of all groups. */
export class CommittedOffsets {
  private readonly groups = new Map<string, Map<string, Map<number, Committed>>>();

  set(group: string, topic: string, partition: number, committed: Committed): void {
    const topics = getOrMake(this.groups, group, () => new Map<string, Map<number, Committed>>());
    getOrMake(topics, topic, () => new Map<number, Committed>()).set(partition, committed);
  }

  get(group: string, topic: string, partition: number): Committed | undefined {
    return this.groups.get(group)?.get(topic)?.get(partition);
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
  }

  deleteGroup(group: string): void {
    this.groups.delete(group);
  }

  deleteTopic(topic: string): void {
    for (const topics of this.groups.values()) topics.delete(topic);
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
