import type { Marker } from '../storage/control-batch.ts';
import type { BatchHeader } from '../storage/record-batch.ts';

/** A transaction whose records readers of committed data must skip. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The marker's offset. */
  readonly lastOffset: number;
}

/** Which transactions are open in a partition, and which were aborted; rebuilt from the log when it is opened. */
export class TransactionIndex {
  private readonly open = new Map<number, number>();
  private aborted: AbortedTransaction[] = [];

  /** The first offset of the oldest open transaction. */
  get firstOpenOffset(): number | undefined {
    return this.open.size === 0 ? undefined : Math.min(...this.open.values());
  }

  /** Remembers an appended batch of a transaction; a control batch comes with its marker. */
  note(header: BatchHeader, marker: Marker | undefined): void {
    const { producerId, baseOffset } = header;
    if (marker === undefined) {
      if (!this.open.has(producerId)) this.open.set(producerId, baseOffset);
      return;
    }
    const firstOffset = this.open.get(producerId);
    this.open.delete(producerId);
    if (marker === 'abort' && firstOffset !== undefined) {
      this.aborted.push({ producerId, firstOffset, lastOffset: baseOffset });
    }
  }

  /** The aborted transactions with records in `[from, to)`, by their first offsets, as clients walk along them. */
  abortedIn(from: number, to: number): AbortedTransaction[] {
    return this.aborted
      .filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < to)
      .sort((one, other) => one.firstOffset - other.firstOffset);
  }

  /** Forgets what lies wholly below the log's start. */
  forgetBelow(offset: number): void {
    this.aborted = this.aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }
}
