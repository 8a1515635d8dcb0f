import type { LogFile } from './log-file.ts';
import { BATCH_HEADER_BYTES, type BatchHeader, hasValidCrc, readBatchHeader } from './record-batch.ts';

const INDEX_EVERY_BYTES = 4096;
const WINDOW_BYTES = 64 * 1024;

/** A batch's header and where its batch lies in the segment. */
export interface PlacedBatch {
  readonly position: number;
  readonly header: BatchHeader;
}

/** Whole batches, and the offset after them. */
export interface SegmentPiece {
  readonly bytes: Buffer;
  readonly nextOffset: number;
}

/** A run of whole batches of one partition, with a sparse index from offsets to positions. */
export class Segment {
  readonly baseOffset: number;
  nextOffset: number;
  maxTimestamp = -1;
  private readonly file: LogFile;
  private readonly indexOffsets: number[] = [];
  private readonly indexPositions: number[] = [];
  private indexedTo = 0;
  /** Where the last read ended: a consumer reads on from there. */
  private hint = { offset: -1, position: 0 };

  constructor(baseOffset: number, file: LogFile) {
    this.baseOffset = baseOffset;
    this.nextOffset = baseOffset;
    this.file = file;
  }

  get sizeBytes(): number {
    return this.file.length;
  }

  /** Appends a batch whose base offset is {@link nextOffset} or, after compaction elsewhere, above it. */
  append(batch: Buffer, header: BatchHeader): void {
    const position = this.file.length;
    this.file.append(batch);
    this.note(position, header);
  }

  /**
   * Reads the file's headers into the index and cuts off what is not a whole batch at its end.
   *
   * @param replay called once per whole batch, in order
   */
  recover(replay: (batch: PlacedBatch) => void): void {
    let whole = 0;
    let last: PlacedBatch | undefined;
    for (const placed of this.batches(0)) {
      const { header, position } = placed;
      const sane = header.magic === 2 && header.baseOffset >= this.nextOffset && header.lastOffsetDelta >= 0;
      if (!sane) break;
      if (last) replay(last);
      this.note(position, header);
      whole = position + header.sizeBytes;
      last = placed;
    }
    if (last && !hasValidCrc(this.batch(last))) {
      whole = last.position;
      this.nextOffset = last.header.baseOffset;
    } else if (last) replay(last);
    if (whole < this.file.length) this.file.truncate(whole);
  }

  /**
   * Whole batches from the one that holds `offset` on, at most `maxBytes` of them.
   *
   * @param below batches that start at this offset or later are not read
   * @param firstWhatever gives the first batch even where it alone is over `maxBytes`
   */
  read(offset: number, options: { maxBytes: number; below: number; firstWhatever: boolean }): SegmentPiece | undefined {
    const first = this.find(offset);
    if (!first || first.header.baseOffset >= options.below) return undefined;
    if (first.header.sizeBytes > options.maxBytes) {
      return options.firstWhatever ? { bytes: this.batch(first), nextOffset: first.header.lastOffset + 1 } : undefined;
    }
    const bytes = this.file.read(first.position, options.maxBytes);
    let end = 0;
    let nextOffset = offset;
    while (end + BATCH_HEADER_BYTES <= bytes.length) {
      const header = readBatchHeader(bytes, end);
      if (end + header.sizeBytes > bytes.length || header.baseOffset >= options.below) break;
      end += header.sizeBytes;
      nextOffset = header.lastOffset + 1;
    }
    this.hint = { offset: nextOffset, position: first.position + end };
    return { bytes: bytes.subarray(0, end), nextOffset };
  }

  /** The batch that holds `offset`, or the next one where compaction left a hole. */
  find(offset: number): PlacedBatch | undefined {
    const start = this.hint.offset === offset ? this.hint.position : this.indexedPosition(offset);
    for (const placed of this.batches(start)) if (placed.header.lastOffset >= offset) return placed;
    return undefined;
  }

  /** The bytes of one batch. */
  batch({ position, header }: PlacedBatch): Buffer {
    return this.file.read(position, header.sizeBytes);
  }

  /** Every batch's header from a batch's position on, read through a window. */
  *batches(from: number): Generator<PlacedBatch> {
    let window: Buffer = Buffer.alloc(0);
    let windowFrom = from;
    let position = from;
    while (position + BATCH_HEADER_BYTES <= this.file.length) {
      if (position - windowFrom + BATCH_HEADER_BYTES > window.length) {
        window = this.file.read(position, WINDOW_BYTES);
        windowFrom = position;
      }
      const header = readBatchHeader(window, position - windowFrom);
      if (header.sizeBytes < BATCH_HEADER_BYTES || position + header.sizeBytes > this.file.length) return;
      yield { position, header };
      position += header.sizeBytes;
    }
  }

  close(): void {
    this.file.close();
  }

  remove(): void {
    this.file.remove();
  }

  private note(position: number, header: BatchHeader): void {
    if (this.indexOffsets.length === 0 || position - this.indexedTo >= INDEX_EVERY_BYTES) {
      this.indexOffsets.push(header.baseOffset);
      this.indexPositions.push(position);
      this.indexedTo = position;
    }
    this.nextOffset = header.lastOffset + 1;
    if (header.maxTimestamp > this.maxTimestamp) this.maxTimestamp = header.maxTimestamp;
  }

  private indexedPosition(offset: number): number {
    let low = 0;
    let high = this.indexOffsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.indexOffsets[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return this.indexPositions[low] ?? 0;
  }
}
