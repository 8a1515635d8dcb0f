import { pruneVersions, type RowVersion } from './row-version.ts';
import type { SortedMap } from './sorted-map.ts';

interface Superseded {
  readonly rows: SortedMap<RowVersion>;
  readonly key: string;
  /** When its older versions were superseded, in microseconds. */
  readonly timestamp: number;
}

const COMPACT_AFTER = 4096;

/** Remembers which rows have old versions, oldest first, and drops those versions once nobody may read them. */
export class Garbage {
  #queue: Superseded[] = [];
  #head = 0;

  get length(): number {
    return this.#queue.length - this.#head;
  }

  add(rows: SortedMap<RowVersion>, key: string, timestamp: number): void {
    this.#queue.push({ rows, key, timestamp });
  }

  /** Drops what no read at `horizon` (microseconds) or later can see. */
  collect(horizon: number): void {
    for (;;) {
      const item = this.#queue[this.#head];
      if (!item || item.timestamp > horizon) break;
      this.#head += 1;
      const row = item.rows.get(item.key);
      if (row && !pruneVersions(row, horizon)) item.rows.delete(item.key);
    }
    if (this.#head > COMPACT_AFTER && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
