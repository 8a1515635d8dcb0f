import { errorCode } from '../protocol/error-code.ts';
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

/** One broker and no elections: the epoch never moves. */
export const LEADER_EPOCH = 0;
const ZSTD = 4;

/** Where a batch lies after it was produced. */
export interface Appended {
  readonly baseOffset: number;
  readonly duplicate: boolean;
}

/** One partition: checks what is produced, keeps it, and wakes those who wait for it. */
export class Partition {
  readonly index: number;
  readonly log: PartitionLog;
  private readonly producers = new ProducerState();
  private readonly waiting = new Set<() => void>();

  constructor(index: number, options: { dir?: string | undefined; startOffset?: number } = {}) {
    this.index = index;
    this.log = new PartitionLog({ ...options, replay: (batch) => this.replay(batch) });
  }

  get highWatermark(): number {
    return this.log.nextOffset;
  }

  /** The offset below which every transaction is decided. */
  get lastStableOffset(): number {
    return this.log.nextOffset;
  }

  /**
   * Appends the one batch that a produce request carries for this partition.
   *
   * @param batch rewritten in place: it gets its offset
   * @throws {KafkaError} the batch is damaged, too large, or not the producer's next
   */
  produce(batch: Buffer, options: { maxMessageBytes: number; zstdAllowed: boolean }): Appended {
    const header = checkedHeader(batch, options);
    if (header.producerId >= 0) {
      const offset = this.producers.check(header);
      if (offset !== undefined) return { baseOffset: offset, duplicate: true };
    }
    return { baseOffset: this.append(batch), duplicate: false };
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
    this.producers.note(header);
    this.release();
    return baseOffset;
  }

  private replay({ header }: FoundBatch): void {
    this.producers.note(header);
  }
}

function checkedHeader(batch: Buffer, options: { maxMessageBytes: number; zstdAllowed: boolean }): BatchHeader {
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
