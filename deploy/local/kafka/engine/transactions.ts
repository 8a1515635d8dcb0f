import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import type { Marker } from '../storage/control-batch.ts';
import type { StateStore } from '../storage/state-store.ts';
import type { Committed, CommittedOffsets } from './committed-offsets.ts';
import { KafkaError } from './kafka-error.ts';
import type { Topics } from './topics.ts';

const PREFIX = 'transaction:';
const PRODUCER_IDS = 'producer-ids';
/** Ids are taken from the store in blocks: a restart skips the rest of a block instead of writing each id. */
const ID_BLOCK = 1000;
const MAX_EPOCH = 32_766;
const MAX_TIMEOUT_MS = 900_000;
const MAX_TRANSACTIONAL_IDS = 10_000;

type State = 'empty' | 'ongoing' | 'committing' | 'aborting' | 'committed' | 'aborted';

/** A producer's identity: a higher epoch of the same id fences the lower. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

interface PendingOffset extends Committed {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
}

interface Transaction {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  readonly state: State;
  readonly startedAt: number;
  readonly partitions: readonly (readonly [topic: string, partition: number])[];
  readonly groups: readonly string[];
  readonly offsets: readonly PendingOffset[];
}

/**
 * The transaction coordinator.
 *
 *   empty ──add──▶ ongoing ──end──▶ committing ──markers, offsets──▶ committed ──add──▶ ongoing …
 *                    │ end, timeout, new producer                                         ▲
 *                    └────────────▶ aborting ──markers──▶ aborted ──add───────────────────┘
 *
 * `committing` and `aborting` are written before their markers: a broker killed there does the rest when it opens.
 */
export class Transactions {
  private readonly byId = new Map<string, Transaction>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly store: StateStore;
  private readonly topics: Topics;
  private readonly offsets: CommittedOffsets;
  private readonly now: () => number;
  private nextId: number;
  private idsReservedTo: number;

  constructor(options: { store: StateStore; topics: Topics; offsets: CommittedOffsets; now: () => number }) {
    this.store = options.store;
    this.topics = options.topics;
    this.offsets = options.offsets;
    this.now = options.now;
    this.nextId = Number(this.store.get(PRODUCER_IDS) ?? 0);
    this.idsReservedTo = this.nextId;
    for (const [id, value] of this.store.entries(PREFIX)) this.restore(id, value as StoredTransaction);
  }

  /** An id and epoch for a producer that only wants to be idempotent. */
  newProducer(): ProducerIdentity {
    if (this.nextId >= this.idsReservedTo) {
      this.idsReservedTo = this.nextId + ID_BLOCK;
      this.store.put(PRODUCER_IDS, this.idsReservedTo);
    }
    return { producerId: this.nextId++, producerEpoch: 0 };
  }

  /**
   * Gives a transactional producer the next epoch of its id: what its former self left open is aborted.
   *
   * @param known what the producer believes to be, where it says so
   * @throws {KafkaError} the timeout is out of bounds, or `known` was overtaken
   */
  begin(id: string, timeoutMs: number, known: ProducerIdentity | undefined): ProducerIdentity {
    if (id === '') throw new KafkaError(errorCode.invalidRequest, 'A transactional id is not empty');
    if (timeoutMs <= 0 || timeoutMs > MAX_TIMEOUT_MS) {
      const message = `A transaction timeout of ${timeoutMs} ms is not allowed: 1 to ${MAX_TIMEOUT_MS}`;
      throw new KafkaError(errorCode.invalidTransactionTimeout, message);
    }
    const former = this.byId.get(id);
    if (!former && this.byId.size >= MAX_TRANSACTIONAL_IDS) {
      const message = `There are ${MAX_TRANSACTIONAL_IDS} transactional ids already: use one of them again`;
      throw new KafkaError(errorCode.policyViolation, message);
    }
    if (former && known) this.check(id, known);
    const bumped = this.bump(former);
    if (former?.state === 'ongoing') this.end(id, former, 'abort', { fence: true });
    const { producerId, producerEpoch } = bumped;
    this.put(id, { ...EMPTY, producerId, producerEpoch, timeoutMs });
    return bumped;
  }

  /** Puts partitions into the transaction, which begins with them. */
  addPartitions(id: string, producer: ProducerIdentity, partitions: readonly (readonly [string, number])[]): void {
    const ongoing = this.ongoing(id, producer);
    const added = partitions.filter(([topic, partition]) => !includes(ongoing.partitions, topic, partition));
    this.put(id, { ...ongoing, partitions: [...ongoing.partitions, ...added] });
  }

  /** Puts a group's offsets into the transaction, which begins with them. */
  addGroup(id: string, producer: ProducerIdentity, group: string): void {
    const ongoing = this.ongoing(id, producer);
    this.put(id, { ...ongoing, groups: [...new Set([...ongoing.groups, group])] });
  }

  /**
   * Holds offsets back until the transaction ends.
   *
   * @throws {KafkaError} the producer was overtaken, or the group is not in its transaction
   */
  holdOffsets(id: string, producer: ProducerIdentity, offsets: readonly PendingOffset[]): void {
    const transaction = this.check(id, producer);
    const strange = offsets.find(({ group }) => !transaction.groups.includes(group));
    if (transaction.state !== 'ongoing' || strange) {
      throw new KafkaError(errorCode.invalidTxnState, `Add the group to the transaction of ${id} before its offsets`);
    }
    this.put(id, { ...transaction, offsets: [...transaction.offsets, ...offsets] });
  }

  /** Ends the transaction: markers in every partition and, when it commits, the offsets. */
  finish(id: string, producer: ProducerIdentity, marker: Marker): void {
    const transaction = this.check(id, producer);
    if (transaction.state === (marker === 'commit' ? 'committed' : 'aborted')) return;
    if (transaction.state !== 'ongoing') {
      throw new KafkaError(errorCode.invalidTxnState, `The transaction of ${id} is ${transaction.state}, not ongoing`);
    }
    this.end(id, transaction, marker, { fence: false });
  }

  /**
   * Says whether a transactional batch may be appended: its partition must stand in its producer's transaction.
   */
  mayProduce(id: string | null, producer: ProducerIdentity, topic: string, partition: number): ErrorCode {
    const transaction = id === null ? undefined : this.byId.get(id);
    if (!transaction || transaction.producerId !== producer.producerId) return errorCode.invalidProducerIdMapping;
    if (producer.producerEpoch !== transaction.producerEpoch) return errorCode.invalidProducerEpoch;
    const added = transaction.state === 'ongoing' && includes(transaction.partitions, topic, partition);
    return added ? errorCode.none : errorCode.invalidTxnState;
  }

  /** Whether an open transaction holds back an offset of this group and partition. */
  isHeldBack(group: string, topic: string, partition: number): boolean {
    return this.byId
      .values()
      .some(({ offsets }) =>
        offsets.some((held) => held.group === group && held.topic === topic && held.partition === partition),
      );
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }

  private check(id: string, { producerId, producerEpoch }: ProducerIdentity): Transaction {
    const transaction = this.byId.get(id);
    if (!transaction || transaction.producerId !== producerId) {
      throw new KafkaError(errorCode.invalidProducerIdMapping, `Producer ${producerId} does not belong to ${id}`);
    }
    if (transaction.producerEpoch !== producerEpoch) {
      const message = `${id} has epoch ${transaction.producerEpoch}: a producer of epoch ${producerEpoch} was fenced`;
      throw new KafkaError(errorCode.producerFenced, message);
    }
    return transaction;
  }

  private ongoing(id: string, producer: ProducerIdentity): Transaction {
    const transaction = this.check(id, producer);
    if (transaction.state === 'ongoing') return transaction;
    const { producerId, producerEpoch, timeoutMs } = transaction;
    return { ...EMPTY, producerId, producerEpoch, timeoutMs, state: 'ongoing', startedAt: this.now() };
  }

  private bump(former: Transaction | undefined): ProducerIdentity {
    if (!former || former.producerEpoch >= MAX_EPOCH) return this.newProducer();
    return { producerId: former.producerId, producerEpoch: former.producerEpoch + 1 };
  }

  /** @param options.fence the markers carry the next epoch, so that the partitions refuse the producer from now on */
  private end(id: string, transaction: Transaction, marker: Marker, options: { fence: boolean }): void {
    const producerEpoch = transaction.producerEpoch + (options.fence ? 1 : 0);
    const ending: Transaction = {
      ...transaction,
      producerEpoch,
      state: marker === 'commit' ? 'committing' : 'aborting',
    };
    this.put(id, ending);
    this.complete(id, ending);
  }

  private complete(id: string, ending: Transaction): void {
    const marker = ending.state === 'committing' ? 'commit' : 'abort';
    for (const [topic, index] of ending.partitions) {
      this.topics.named(topic)?.partitions[index]?.appendMarker(marker, ending, this.now());
    }
    if (marker === 'commit') {
      for (const { group, topic, partition, ...committed } of ending.offsets) {
        if (this.topics.named(topic)) this.offsets.set(group, topic, partition, committed);
      }
    }
    const { producerId, producerEpoch, timeoutMs } = ending;
    const state = marker === 'commit' ? 'committed' : 'aborted';
    this.put(id, { ...EMPTY, producerId, producerEpoch, timeoutMs, state });
  }

  private put(id: string, transaction: Transaction): void {
    this.byId.set(id, transaction);
    const offsets = transaction.offsets.map((held) => ({ ...held, offset: String(held.offset) }));
    this.store.put(PREFIX + id, { ...transaction, offsets } satisfies StoredTransaction);
    this.schedule(id, transaction);
  }

  private schedule(id: string, { state, startedAt, timeoutMs }: Transaction): void {
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    if (state !== 'ongoing') return;
    const wait = Math.max(0, startedAt + timeoutMs - this.now());
    this.timers.set(
      id,
      setTimeout(() => this.expire(id), wait),
    );
  }

  private expire(id: string): void {
    const transaction = this.byId.get(id);
    if (transaction?.state !== 'ongoing') return;
    if (this.now() < transaction.startedAt + transaction.timeoutMs) this.schedule(id, transaction);
    else this.end(id, transaction, 'abort', { fence: true });
  }

  private restore(id: string, stored: StoredTransaction): void {
    const offsets = stored.offsets.map((held) => ({ ...held, offset: BigInt(held.offset) }));
    const transaction: Transaction = { ...stored, offsets };
    this.byId.set(id, transaction);
    if (transaction.state === 'committing' || transaction.state === 'aborting') this.complete(id, transaction);
    else this.schedule(id, transaction);
  }
}

type StoredTransaction = Omit<Transaction, 'offsets'> & {
  readonly offsets: readonly (Omit<PendingOffset, 'offset'> & { readonly offset: string })[];
};

const EMPTY = { state: 'empty', startedAt: 0, partitions: [], groups: [], offsets: [] } as const;

function includes(partitions: Transaction['partitions'], topic: string, partition: number): boolean {
  return partitions.some(([name, index]) => name === topic && index === partition);
}
