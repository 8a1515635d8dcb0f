import { errorCode } from '../protocol/error-code.ts';
import { controlBatch, type Marker, readMarker } from '../storage/control-batch.ts';
import { type FoundBatch, PartitionLog } from '../storage/partition-log.ts';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  hasValidCrc,
  placeBatch,
  readBatchHeader,
} from '../storage/record-batch.ts';
import { KafkaError } from './kafka-error.ts';
import { ProducerState } from './producer-state.ts';
import { type AbortedTransaction, TransactionIndex } from './transaction-index.ts';

/** One broker and no elections: the epoch never moves. */
export const LEADER_EPOCH = 0;
const ZSTD = 4;

/** Where a batch lies after it was produced. */
export interface Appended {
  readonly baseOffset: number;
  readonly duplicate: boolean;
}

/** What the topic and the version of the request allow. */
export interface ProduceOptions {
  readonly maxMessageBytes: number;
  readonly zstdAllowed: boolean;
  /** @throws {KafkaError} the batch's producer has no transaction with this partition */
  readonly admit: (header: BatchHeader) => void;
}

/** One partition: checks what is produced, keeps it, and wakes those who wait for it. */
export class Partition {
  readonly index: number;
  readonly log: PartitionLog;
  private readonly producers = new ProducerState();
  private readonly transactions = new TransactionIndex();
  private readonly waiting = new Set<() => void>();

  constructor(index: number, options: { dir?: string | undefined; startOffset?: number } = {}) {
    this.index = index;
    this.log = new PartitionLog({ ...options, replay: (batch) => this.note(batch) });
  }

  get highWatermark(): number {
    return this.log.nextOffset;
  }

  /** The offset below which every transaction is decided. */
  get lastStableOffset(): number {
    return this.transactions.firstOpenOffset ?? this.log.nextOffset;
  }

  /** The aborted transactions with records in `[from, to)`. */
  abortedIn(from: number, to: number): AbortedTransaction[] {
    return this.transactions.abortedIn(from, to);
  }

  /**
   * Appends the one batch that a produce request carries for this partition.
   *
   * @param batch rewritten in place: it gets its offset
   * @param options.admit says whether a transactional batch may be appended now
   * @throws {KafkaError} the batch is damaged, too large, or not the producer's next
   */
  produce(batch: Buffer, options: ProduceOptions): Appended {
    const header = checkedHeader(batch, options);
    if (header.transactional) options.admit(header);
    if (header.producerId >= 0) {
      const offset = this.producers.check(header);
      if (offset !== undefined) return { baseOffset: offset, duplicate: true };
    }
    return { baseOffset: this.append(batch), duplicate: false };
  }

  /** Appends the marker that ends a producer's transaction here. */
  appendMarker(marker: Marker, producer: { producerId: number; producerEpoch: number }, timestamp: number): void {
    this.append(controlBatch(marker, producer.producerId, producer.producerEpoch, timestamp));
  }

  /** Raises the first offset that can be read. */
  deleteBefore(offset: number): void {
    this.log.deleteBefore(offset);
    this.transactions.forgetBelow(this.log.startOffset);
  }

  /** Drops what is older than `timestamp`, ms since the epoch. */
  deleteOlderThan(timestamp: number): void {
    this.log.deleteOlderThan(timestamp);
    this.transactions.forgetBelow(this.log.startOffset);
  }

  /** Calls `wake` once, at the next append or at {@link release}; the returned function takes it back. */
  onAppend(wake: () => void): () => void {
    this.waiting.add(wake);
    return () => this.waiting.delete(wake);
  }

  /** Wakes all who wait, as the partition goes away. */
  release(): void {
    const woken = [...this.waiting];
    this.waiting.clear();
    for (const wake of woken) wake();
  }

  private append(batch: Buffer): number {
    const baseOffset = this.log.nextOffset;
    placeBatch(batch, baseOffset, LEADER_EPOCH);
    const header = readBatchHeader(batch);
    this.log.append(batch, header);
    this.note({ header, bytes: () => batch });
    this.release();
    return baseOffset;
  }

  private note({ header, bytes }: FoundBatch): void {
    this.producers.note(header);
    if (header.transactional) this.transactions.note(header, header.control ? readMarker(bytes()) : undefined);
  }
}

function checkedHeader(batch: Buffer, options: ProduceOptions): BatchHeader {
  if (batch.length < BATCH_HEADER_BYTES) {
    throw new KafkaError(errorCode.corruptMessage, `A record batch of ${batch.length} bytes has no whole header`);
  }
  const header = readBatchHeader(batch);
  if (header.magic !== 2) {
    const message = `Message format ${header.magic} is not taken: produce record batches of format 2`;
    throw new KafkaError(errorCode.invalidRecord, message);
  }
  if (header.sizeBytes !== batch.length) {
    const message = `A batch of ${header.sizeBytes} bytes in ${batch.length}: exactly one batch per partition is taken`;
    throw new KafkaError(errorCode.invalidRecord, message);
  }
  if (batch.length > options.maxMessageBytes) {
    const message = `A batch of ${batch.length} bytes is over max.message.bytes of ${options.maxMessageBytes}`;
    throw new KafkaError(errorCode.messageTooLarge, message);
  }
  if (!hasValidCrc(batch)) {
    throw new KafkaError(errorCode.corruptMessage, 'The batch is not what its CRC-32C says: produce it again');
  }
  if (header.recordCount < 1 || header.lastOffsetDelta !== header.recordCount - 1) {
    const message = `A batch of ${header.recordCount} records cannot end at offset delta ${header.lastOffsetDelta}`;
    throw new KafkaError(errorCode.invalidRecord, message);
  }
  if (header.control) throw new KafkaError(errorCode.invalidRecord, 'Control records are written by the broker alone');
  if (header.compression > ZSTD || (header.compression === ZSTD && !options.zstdAllowed)) {
    const message = `Compression ${header.compression} is not taken in this version of Produce`;
    throw new KafkaError(errorCode.unsupportedCompressionType, message);
  }
  return header;
}
