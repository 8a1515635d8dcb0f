import type { RowVersion } from './row-version.ts';
import type { SortedMap } from './sorted-map.ts';

/** What one commit superseded in one table or index. */
interface Superseded {
  readonly rows: SortedMap<RowVersion>;
  /** Of the commit, in microseconds. */
  readonly timestamp: number;
  /** The versions that the commit wrote over older ones. */
  readonly versions: RowVersion[];
  /** Of the rows that it deleted. */
  readonly deletedKeys: string[];
}

const COMPACT_AFTER = 1024;

/** Remembers which rows have old versions, oldest first, and drops those versions once nobody may read them. */
export class Garbage {
  #queue: Superseded[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param version what a commit wrote: older ones stand behind it, or it is a deletion */
  add(rows: SortedMap<RowVersion>, key: string, version: RowVersion): void {
    const { timestamp } = version;
    let last = this.#queue.at(-1);
    if (last?.rows !== rows || last.timestamp !== timestamp) {
      last = { rows, timestamp, versions: [], deletedKeys: [] };
      this.#queue.push(last);
    }
    last.versions.push(version);
    if (!version.cells) last.deletedKeys.push(key);
    this.#length += 1;
  }

  /** Drops what no read at `horizon` (microseconds) or later can see. */
  collect(horizon: number): void {
    for (;;) {
      const item = this.#queue[this.#head];
      if (!item || item.timestamp > horizon) break;
      this.#head += 1;
      this.#length -= item.versions.length;
      for (const version of item.versions) version.older = undefined;
      for (const key of item.deletedKeys) {
        const head = item.rows.get(key);
        if (head && !head.cells && head.timestamp <= horizon) item.rows.delete(key);
      }
    }
    if (this.#head > COMPACT_AFTER && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
