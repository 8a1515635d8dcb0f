import type { TopicPartition } from '../driver.ts';
import type { MemberSubscription } from './consumer-protocol.ts';

/** A member of the group, as its leader sees it. */
export interface GroupMember extends MemberSubscription {
  readonly memberId: string;
}

interface Share {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
  readonly partitions: TopicPartition[];
}

/**
 * Shares partitions out evenly, and lets each stay where it is as far as that allows. A partition that is to move is given to
 * nobody yet: its holder lets go of it first, and the next round gives it away. So no partition pauses that does not move.
 *
 * Source: KIP-429 (cooperative rebalancing).
 *
 * @param partitionCounts partitions of each topic that exists
 * @returns partitions by member; the same for the same input, in whatever order members come
 */
export function assignPartitions(
  members: readonly GroupMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> {
  const shares: Share[] = members
    .map(({ memberId, topics }) => ({ memberId, topics: new Set(topics), partitions: [] as TopicPartition[] }))
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const holders = holdersOf(members);
  const free: TopicPartition[] = [];
  for (const topic of [...partitionCounts.keys()].sort()) {
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) {
      const holder = holders.get(nameOf({ topic, partition }));
      const share = shares.find(({ memberId, topics }) => memberId === holder && topics.has(topic));
      (share?.partitions ?? free).push({ topic, partition });
    }
  }
  for (const one of free) leastLoaded(shares, one.topic)?.partitions.push(one);
  while (moveOne(shares)) {}
  const isOurs = (share: Share, one: TopicPartition): boolean =>
    (holders.get(nameOf(one)) ?? share.memberId) === share.memberId;
  return new Map(shares.map((share) => [share.memberId, share.partitions.filter((one) => isOurs(share, one))]));
}

/** Who holds what: where two say so, the one whose word is of a later generation; of equal words neither counts. */
function holdersOf(members: readonly GroupMember[]): ReadonlyMap<string, string> {
  const holders = new Map<string, { memberId: string; generation: number }>();
  const disputed = new Set<string>();
  for (const { memberId, owned, generation } of members) {
    for (const one of owned) {
      const name = nameOf(one);
      const other = holders.get(name);
      if (other && other.generation === generation && other.memberId !== memberId) disputed.add(name);
      if (other && other.generation >= generation) continue;
      disputed.delete(name);
      holders.set(name, { memberId, generation });
    }
  }
  for (const name of disputed) holders.delete(name);
  return new Map([...holders].map(([name, { memberId }]) => [name, memberId]));
}

/** Moves a partition from a member to one that would still have fewer; false when none is left to move. */
function moveOne(shares: readonly Share[]): boolean {
  const byLoad = [...shares].sort((a, b) => b.partitions.length - a.partitions.length);
  for (const from of byLoad) {
    for (let at = from.partitions.length - 1; at >= 0; at--) {
      const one = from.partitions[at];
      const to = one && leastLoaded(shares, one.topic);
      if (!one || !to || to.partitions.length + 1 >= from.partitions.length) continue;
      from.partitions.splice(at, 1);
      to.partitions.push(one);
      return true;
    }
  }
  return false;
}

function leastLoaded(shares: readonly Share[], topic: string): Share | undefined {
  let least: Share | undefined;
  for (const share of shares) {
    if (share.topics.has(topic) && (!least || share.partitions.length < least.partitions.length)) least = share;
  }
  return least;
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
