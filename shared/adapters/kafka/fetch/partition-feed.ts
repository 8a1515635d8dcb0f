import type { TopicPartition } from '../driver.ts';
import type { RecordSlice, RecordSource } from '../records/record-source.ts';

/** Ends a batch: what a commit does at once, and what of it lies in memory as objects. */
const SLICE = { records: 10_000, bytes: 4 * 1024 * 1024 };

/**
 * One partition that we hold: where its next fetch begins, and what was fetched and not yet handed on: the fetch in hand, and
 * at most one that waits behind it.
 */
export class PartitionFeed implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** The topic that the position is in; undefined until metadata has told. */
  topicId: string | undefined;
  leader: number | undefined;
  leaderEpoch = -1;
  /** A broker said that the leader is another one, or that it does not know the topic. */
  isStale = true;
  highWatermark = 0n;
  /** Rises when what was fetched before no longer counts. */
  era = 0;
  isHeld = true;
  isPaused = false;
  /** A batch of it is with the subscription's owner. */
  isBusy = false;
  isQueued = false;
  private fetchFrom: bigint | undefined;
  private current: RecordSource | undefined;
  private waiting: RecordSource | undefined;

  /** An earlier feed of the partition, whose last batch may still be with the owner. */
  private before: PartitionFeed | undefined;

  constructor({ topic, partition }: TopicPartition, before?: PartitionFeed) {
    this.topic = topic;
    this.partition = partition;
    this.before = before;
  }

  /** Where the next fetch begins; undefined when there should be none now. */
  get wish(): bigint | undefined {
    return this.isHeld && !this.isPaused && !this.waiting ? this.fetchFrom : undefined;
  }

  /** Whether it would be fetched, were it not for what already waits. */
  get isFull(): boolean {
    return this.isHeld && !this.isPaused && this.waiting !== undefined;
  }

  /** Whether the leader, or the topic itself, has to be looked up. */
  get isLost(): boolean {
    return this.isHeld && (this.isStale || this.leader === undefined);
  }

  seek(offset: bigint): void {
    this.drop();
    this.fetchFrom = offset;
  }

  /** Nothing is fetched, and nothing that was fetched is handed on, before the next `seek`. */
  drop(): void {
    this.era += 1;
    this.current = undefined;
    this.waiting = undefined;
    this.fetchFrom = undefined;
  }

  /** Takes what a fetch brought, which began at {@link wish}. */
  put(fetched: RecordSource): void {
    const { endOffset } = fetched;
    if (endOffset === this.fetchFrom) return;
    this.fetchFrom = endOffset;
    if (this.current) this.waiting = fetched;
    else this.current = fetched;
  }

  get hasMore(): boolean {
    return this.isHeld && !this.isPaused && !this.isTaken && this.current !== undefined;
  }

  /** Whether a batch of the partition is with the owner, given by this feed or by one before it. */
  private get isTaken(): boolean {
    if (this.before && !this.before.isTaken) this.before = undefined;
    return this.isBusy || this.before !== undefined;
  }

  /**
   * The next records.
   *
   * @throws {UnreadableBatchError}
   */
  next(): RecordSlice | undefined {
    while (this.current) {
      const slice = this.current.next(SLICE);
      if (slice) return slice;
      this.current = this.waiting;
      this.waiting = undefined;
    }
    return undefined;
  }
}
