import type { Cell } from '../values.ts';
import type { RowVersion } from './row-version.ts';
import type { RowStore } from './stores.ts';

/** A row that one commit touches, with its version from before. */
export interface Change<S extends RowStore> {
  readonly store: S;
  readonly key: string;
  readonly before: RowVersion | undefined;
}

/** Writes the versions of one commit straight into the stores, and can take all of them back. */
export class ChangeLog<S extends RowStore> {
  readonly timestamp: number;
  readonly changes: Change<S>[] = [];

  constructor(timestamp: number) {
    this.timestamp = timestamp;
  }

  /** The row as this commit sees it, undefined if there is none. */
  get(store: S, key: string): readonly Cell[] | undefined {
    return store.rows.get(key)?.cells;
  }

  put(store: S, key: string, cells: readonly Cell[]): void {
    this.#write(store, key, cells, store.rows.get(key));
  }

  delete(store: S, key: string): void {
    const head = store.rows.get(key);
    if (head?.cells) this.#write(store, key, undefined, head);
  }

  rollBack(): void {
    for (const { store, key, before } of this.changes.reverse()) {
      if (before) store.rows.set(key, before);
      else store.rows.delete(key);
    }
    this.changes.length = 0;
  }

  #write(store: S, key: string, cells: readonly Cell[] | undefined, head: RowVersion | undefined): void {
    const isOurs = head?.timestamp === this.timestamp;
    if (!isOurs) this.changes.push({ store, key, before: head });
    store.rows.set(key, { timestamp: this.timestamp, cells, older: isOurs ? head.older : head });
  }
}
