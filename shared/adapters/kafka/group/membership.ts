import { messageOf } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import type { AssignedPartition, PartitionOffset, TopicPartition, TopicSource } from '../driver.ts';
import { BrokerError, BrokerUnreachableError, kafkaCode, MalformedAnswerError } from '../kafka-errors.ts';
import { openBackoff, sleep } from '../wire/backoff.ts';
import type { BrokerConnection } from '../wire/broker-connection.ts';
import type { Cluster } from '../wire/cluster.ts';
import {
  askCommitOffsets,
  askHeartbeat,
  askJoin,
  askLeave,
  askSync,
  findCoordinator,
  type Joined,
  type MemberIdentity,
} from '../wire/group-requests.ts';
import type { BrokerAddress } from '../wire/open-socket.ts';
import { assignPartitions } from './assign-partitions.ts';
import { readAssignment, readSubscription, writeAssignment, writeSubscription } from './consumer-protocol.ts';
import { findPartitionCounts } from './group-topics.ts';

/** Named as Kafka's own assignor that keeps the same promises. */
const PROTOCOL = 'cooperative-sticky';
/** Heartbeats in a session, so that a few may be lost. */
const HEARTBEATS = 10;
const MIN_HEARTBEAT_MS = 20;
const MAX_HEARTBEAT_MS = 3_000;
const NO_GENERATION = -1;

export interface MembershipOptions {
  readonly cluster: Cluster;
  readonly group: string;
  readonly topics: TopicSource;
  readonly sessionTimeoutMs: number;
  /** How often topics are looked at for new partitions and new names, in milliseconds. */
  readonly lookEveryMs: number;
  readonly log: Log;
  /** All partitions that are ours from now on. */
  readonly onAssigned: (partitions: readonly AssignedPartition[]) => void;
  /** Something that joining again does not mend. */
  readonly onEnded: (error: Error) => void;
}

/** A place in a consumer group, kept by heartbeats of its own, however long batches take. */
export interface Membership {
  commitOffsets(offsets: readonly PartitionOffset[]): Promise<void>;
  leave(): Promise<void>;
}

/**
 * Joins a consumer group by the classic protocol, cooperatively: partitions that stay go on through a rebalance.
 *
 * ```
 * outside ─join, sync→ member ─heartbeat→ member
 *    ↑                   ├─ group rebalances, topics changed, a partition to give away → outside, with its partitions
 *    │                   └─ expelled, or unheard for a session → outside, without any
 *    └── no coordinator: waits and tries again
 * ```
 */
export function openMembership(options: MembershipOptions): Membership {
  const member = new Member(options);
  const running = member.run();
  return {
    commitOffsets: (offsets) => member.commitOffsets(offsets),
    async leave() {
      member.over.abort();
      // A join that waits for others would keep us: its connection is not needed any more.
      await Promise.race([running, sleep(100)]);
      await member.leave();
      member.hangUp();
      await running;
    },
  };
}

class Member {
  readonly over = new AbortController();
  private readonly options: MembershipOptions;
  private memberId = '';
  private generation = NO_GENERATION;
  private owned: readonly TopicPartition[] = [];
  private isMember = false;
  private heardAt = 0;
  private lookedAt = 0;
  /** What the topics were when we joined: names and, for the leader, partitions. */
  private known = '';
  private isLeader = false;
  private address: BrokerAddress | undefined;
  private coordinator: BrokerConnection | undefined;

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { sessionTimeoutMs } = this.options;
    const heartbeatMs = Math.min(MAX_HEARTBEAT_MS, Math.max(MIN_HEARTBEAT_MS, sessionTimeoutMs / HEARTBEATS));
    const backoff = openBackoff(this.over.signal);
    while (!this.over.signal.aborted) {
      try {
        if (!this.isMember) await this.join();
        else await this.stay();
        this.heardAt = performance.now();
        backoff.reset();
        if (this.isMember) await sleep(heartbeatMs, this.over.signal);
      } catch (error) {
        if (this.over.signal.aborted) return;
        if (!this.settle(error)) {
          this.dropAll();
          this.options.onEnded(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        if (this.owned.length > 0 && performance.now() - this.heardAt > sessionTimeoutMs) {
          // By now the group has given our partitions to others.
          this.isMember = false;
          this.dropAll();
        }
        if (!isRebalance(error)) await backoff.wait();
      }
    }
  }

  async commitOffsets(offsets: readonly PartitionOffset[]): Promise<void> {
    if (!this.isMember || !this.coordinator) throw new Error(`Group ${this.options.group} is being joined`);
    await askCommitOffsets(this.coordinator, this.identity(), offsets);
  }

  async leave(): Promise<void> {
    const { cluster, group, log } = this.options;
    if (this.memberId === '' || !this.address) return;
    try {
      // A join that waits for others holds up its own connection.
      await askLeave(await cluster.connectTo(this.address, 'questions'), this.identity());
    } catch (error) {
      log('DEBUG', `Left group ${group} without its word: ${messageOf(error)}`);
    }
  }

  hangUp(): void {
    this.coordinator?.close();
  }

  private identity(): MemberIdentity {
    return { group: this.options.group, memberId: this.memberId, generation: this.generation };
  }

  /** Whether joining or trying again can mend this; forgets what no longer holds. */
  private settle(error: unknown): boolean {
    const { log, group } = this.options;
    if (error instanceof BrokerUnreachableError || error instanceof MalformedAnswerError) {
      this.coordinator?.close();
      this.coordinator = undefined;
      log('INFO', `The coordinator of group ${group} is lost: ${messageOf(error)}`);
      return true;
    }
    if (!(error instanceof BrokerError)) return false;
    switch (error.kafkaCode) {
      case kafkaCode.rebalanceInProgress:
        this.isMember = false;
        return true;
      case kafkaCode.unknownMemberId:
      case kafkaCode.illegalGeneration:
        log('WARNING', `Group ${group} has gone on without us: ${error.message}`);
        this.isMember = false;
        this.memberId = '';
        this.dropAll();
        return true;
      case kafkaCode.inconsistentGroupProtocol:
        log(
          'WARNING',
          `Group ${group} has members that share partitions out in another way; waiting for them to leave`,
        );
        return true;
      case kafkaCode.notCoordinator:
      case kafkaCode.coordinatorNotAvailable:
      case kafkaCode.coordinatorLoadInProgress:
        this.coordinator = undefined;
        return true;
      case kafkaCode.leaderNotAvailable:
      case kafkaCode.requestTimedOut:
        return true;
      default:
        return false;
    }
  }

  private dropAll(): void {
    this.generation = NO_GENERATION;
    const had = this.owned.length > 0;
    this.owned = [];
    if (had) this.options.onAssigned([]);
  }

  private async findCoordinator(): Promise<BrokerConnection> {
    const { cluster, group } = this.options;
    if (this.coordinator?.isOpen()) return this.coordinator;
    this.address = await findCoordinator(await cluster.any(), group);
    this.coordinator = await cluster.connectTo(this.address, 'group');
    return this.coordinator;
  }

  /** One heartbeat; now and then a look at the topics, after which the group may have to be joined anew. */
  private async stay(): Promise<void> {
    const { sessionTimeoutMs, lookEveryMs } = this.options;
    await askHeartbeat(await this.findCoordinator(), this.identity(), sessionTimeoutMs);
    if (performance.now() - this.lookedAt < lookEveryMs) return;
    const counts = await findPartitionCounts(this.options.cluster, this.options.topics);
    this.lookedAt = performance.now();
    if (this.describe(counts) !== this.known) this.isMember = false;
  }

  /** Only the leader counts partitions: when others join anew without another subscription, nothing changes. */
  private describe(counts: ReadonlyMap<string, number>): string {
    const { topics } = this.options;
    if (this.isLeader) return JSON.stringify([...counts]);
    return topics instanceof RegExp ? JSON.stringify([...counts.keys()]) : '';
  }

  private async join(): Promise<void> {
    const { cluster, group, topics, sessionTimeoutMs, log } = this.options;
    const coordinator = await this.findCoordinator();
    const counts = await findPartitionCounts(cluster, topics);
    this.lookedAt = performance.now();
    const wanted = topics instanceof RegExp ? [...counts.keys()] : topics;
    const metadata = writeSubscription({ topics: wanted, owned: this.owned, generation: this.generation });
    const joined = await askJoin(coordinator, {
      group,
      memberId: this.memberId,
      protocol: PROTOCOL,
      metadata,
      sessionTimeoutMs,
      rebalanceTimeoutMs: sessionTimeoutMs,
    });
    this.memberId = joined.memberId;
    const assignments = await this.assignmentsOf(joined, counts);
    const identity = { group, memberId: joined.memberId, generation: joined.generation };
    const answer = await askSync(coordinator, identity, {
      protocol: PROTOCOL,
      assignments,
      timeoutMs: sessionTimeoutMs,
    });
    if (this.over.signal.aborted) return;
    this.generation = joined.generation;
    this.isLeader = joined.members !== undefined;
    this.known = this.describe(counts);
    // A partition to give away is given away by joining once more without it.
    this.isMember = !this.take(readAssignment(answer));
    log('DEBUG', `Joined group ${group} in generation ${joined.generation} with ${this.owned.length} partitions`);
  }

  private async assignmentsOf(
    { members }: Joined,
    ownCounts: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, Buffer>> {
    if (!members) return new Map();
    const described = members.map(({ memberId, metadata }) => ({ memberId, ...readSubscription(metadata) }));
    const names = [...new Set(described.flatMap(({ topics }) => topics))];
    const isOwn = names.every((name) => ownCounts.has(name));
    const counts = isOwn ? ownCounts : await findPartitionCounts(this.options.cluster, names);
    const shares = assignPartitions(described, counts);
    return new Map([...shares].map(([memberId, partitions]) => [memberId, writeAssignment(partitions)]));
  }

  /** @returns whether a partition that was ours has to be given away */
  private take(assigned: readonly TopicPartition[]): boolean {
    const before = new Set(this.owned.map(nameOf));
    const kept = assigned.filter((one) => before.has(nameOf(one))).length;
    const isSame = kept === assigned.length && kept === before.size;
    const isFirst = this.owned.length === 0;
    this.owned = assigned;
    if (!isSame || isFirst) {
      this.options.onAssigned(assigned.map((one) => ({ ...one, kept: before.has(nameOf(one)) })));
    }
    return kept < before.size;
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function isRebalance(error: unknown): boolean {
  return error instanceof BrokerError && error.kafkaCode === kafkaCode.rebalanceInProgress;
}
