import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDiskFile, openMemoryFile } from './log-file.ts';
import type { BatchHeader } from './record-batch.ts';
import { type PlacedBatch, Segment } from './segment.ts';

const MIB = 1024 * 1024;
const DEFAULT_SEGMENT_BYTES = 64 * MIB;
/** A buffer that grows is copied: many small ones cost less than few large ones. */
const MEMORY_SEGMENT_BYTES = 4 * MIB;
const FILE_NAME = /^(\d{20})\.log$/;

/** A batch found in a log, and a way to its bytes. */
export interface FoundBatch {
  readonly header: BatchHeader;
  bytes(): Buffer;
}

/** The record batches of one partition, in offset order, cut into segments so that the oldest can be dropped. */
export class PartitionLog {
  private readonly dir: string | undefined;
  private readonly segmentBytes: number;
  private readonly segments: Segment[] = [];
  private firstOffset = 0;

  /**
   * Opens the log, with what its directory holds.
   *
   * @param options.dir absent: in memory
   * @param options.startOffset records below it were deleted
   * @param options.replay called once per batch that the directory holds, in order, from `startOffset` on
   */
  constructor(options: {
    dir?: string | undefined;
    startOffset?: number;
    segmentBytes?: number;
    replay?: (batch: FoundBatch) => void;
  }) {
    this.dir = options.dir;
    this.segmentBytes = options.segmentBytes ?? (this.dir === undefined ? MEMORY_SEGMENT_BYTES : DEFAULT_SEGMENT_BYTES);
    if (this.dir !== undefined) this.load(this.dir, options.replay ?? (() => {}));
    if (this.segments.length === 0) this.roll(options.startOffset ?? 0);
    this.firstOffset = Math.max(this.oldest.baseOffset, options.startOffset ?? 0);
  }

  /** The first offset that can be read. */
  get startOffset(): number {
    return this.firstOffset;
  }

  /** The offset that the next record gets. */
  get nextOffset(): number {
    return this.active.nextOffset;
  }

  get sizeBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /** Appends a batch already placed at {@link nextOffset}. */
  append(batch: Buffer, header: BatchHeader): void {
    if (this.active.sizeBytes > 0 && this.active.sizeBytes + batch.length > this.segmentBytes) {
      this.roll(this.active.nextOffset);
    }
    this.active.append(batch, header);
  }

  /**
   * Whole batches from the one that holds `offset`, as few pieces as there are segments.
   *
   * @param options.below batches that start at this offset or later are left out
   * @param options.firstWhatever gives the first batch even where it alone is over `maxBytes`
   */
  read(offset: number, options: { maxBytes: number; below: number; firstWhatever: boolean }): Buffer[] {
    const pieces: Buffer[] = [];
    let { maxBytes, firstWhatever } = options;
    let from = offset;
    for (const segment of this.segmentsFrom(offset)) {
      const piece = maxBytes > 0 ? segment.read(from, { maxBytes, below: options.below, firstWhatever }) : undefined;
      if (piece === undefined) break;
      pieces.push(piece.bytes);
      maxBytes -= piece.bytes.length;
      firstWhatever = false;
      from = piece.nextOffset;
      // The rest of this segment did not fit: going on in the next would leave a gap.
      if (from < segment.nextOffset) break;
    }
    return pieces;
  }

  /**
   * The batches from the one that holds `offset`, headers first.
   *
   * @param options.withTimestamp leaves out segments all of whose records are older, ms since the epoch
   */
  *batchesFrom(offset: number, options: { withTimestamp?: number } = {}): Generator<FoundBatch> {
    const { withTimestamp = Number.NEGATIVE_INFINITY } = options;
    for (const segment of this.segmentsFrom(offset)) {
      if (segment.maxTimestamp < withTimestamp) continue;
      const first = segment.find(Math.max(offset, segment.baseOffset));
      if (first) for (const placed of segment.batches(first.position)) yield found(segment, placed);
    }
  }

  /** Raises the start and drops the segments that lie wholly below it. */
  deleteBefore(offset: number): void {
    this.firstOffset = Math.max(this.firstOffset, Math.min(offset, this.nextOffset));
    while (this.oldest.nextOffset <= this.firstOffset && this.oldest.sizeBytes > 0) this.dropOldest();
  }

  /** Drops the oldest segments while all their records are older than `timestamp`, ms since the epoch; no time is not old. */
  deleteOlderThan(timestamp: number): void {
    const isOld = ({ sizeBytes, maxTimestamp }: Segment): boolean =>
      sizeBytes > 0 && maxTimestamp >= 0 && maxTimestamp < timestamp;
    while (isOld(this.oldest)) this.dropOldest();
    this.firstOffset = Math.max(this.firstOffset, this.oldest.baseOffset);
  }

  close(): void {
    for (const segment of this.segments) segment.close();
  }

  /** Closes the log and takes its segments from the disk. */
  remove(): void {
    for (const segment of this.segments) segment.remove();
  }

  private get active(): Segment {
    return this.segmentAt(this.segments.length - 1);
  }

  private get oldest(): Segment {
    return this.segmentAt(0);
  }

  private segmentAt(index: number): Segment {
    const segment = this.segments[index];
    if (!segment) throw new RangeError(`A log of ${this.segments.length} segments has no segment ${index}`);
    return segment;
  }

  private segmentsFrom(offset: number): Segment[] {
    return this.segments.slice(
      Math.max(
        0,
        this.segments.findLastIndex((segment) => segment.baseOffset <= offset),
      ),
    );
  }

  private dropOldest(): void {
    if (this.segments.length === 1) this.roll(this.active.nextOffset);
    this.segments.shift()?.remove();
  }

  private roll(baseOffset: number): void {
    this.segments.push(new Segment(baseOffset, this.openFile(baseOffset)));
  }

  private openFile(baseOffset: number): ReturnType<typeof openMemoryFile> {
    if (this.dir === undefined) return openMemoryFile();
    return openDiskFile(join(this.dir, `${String(baseOffset).padStart(20, '0')}.log`));
  }

  private load(dir: string, replay: (batch: FoundBatch) => void): void {
    mkdirSync(dir, { recursive: true });
    for (const name of readdirSync(dir).sort()) {
      const digits = FILE_NAME.exec(name)?.[1];
      if (digits === undefined) continue;
      const segment = new Segment(Number(digits), this.openFile(Number(digits)));
      segment.recover((placed) => replay(found(segment, placed)));
      this.segments.push(segment);
    }
  }
}

function found(segment: Segment, placed: PlacedBatch): FoundBatch {
  return { header: placed.header, bytes: () => segment.batch(placed) };
}
