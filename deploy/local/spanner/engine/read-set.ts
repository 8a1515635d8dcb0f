import type { RowStore } from '../storage/stores.ts';
import type { KeyRange } from './key-ranges.ts';

/** What a read-write transaction has read, so that its commit can tell whether any of it changed since. */
export class ReadSet {
  readonly #ranges = new Map<RowStore, KeyRange[]>();

  /** Notes a range; what is returned may be narrowed when the read ends before the range does. */
  add(store: RowStore, { from, to }: KeyRange): { to: string } {
    const range = { from, to };
    const ranges = this.#ranges.get(store);
    if (ranges) ranges.push(range);
    else this.#ranges.set(store, [range]);
    return range;
  }

  /** Whether a commit later than the snapshot (microseconds) changed, added or removed anything that was read. */
  changedSince(snapshot: number): boolean {
    for (const [store, ranges] of this.#ranges) {
      if (store.lastWrite <= snapshot) continue;
      for (const { from, to } of ranges) {
        for (const [, head] of store.rows.range(from, to)) if (head.timestamp > snapshot) return true;
      }
    }
    return false;
  }
}
