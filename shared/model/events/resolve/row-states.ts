import type { Cell } from '../values/cell.ts';
import { keyText } from '../values/key-text.ts';
import type { TableMutation } from './change.ts';
import { type Burial, burialMutations } from './deleted-versions.ts';
import type { StoredRow, StoredTables } from './stored-rows.ts';
import type { WrittenTable } from './written-tables.ts';

/** One row of one table. */
export interface RowPlace {
  readonly written: WrittenTable;
  /** The text of its key. */
  readonly text: string;
  readonly key: () => readonly Cell[];
}

/** A row as the changes so far leave it; `cells` as in `StoredRow`. */
interface RowState extends StoredRow {
  /** How many changes had been taken when the row became so. */
  readonly since: number;
}

const ABSENT: RowState = { isPresent: false, cells: undefined, since: 0 };

/** What the rows of a family of tables are while a batch is resolved: what is stored, then change after change. */
export class RowStates {
  /** False where all modes overwrite whatever is there: nothing is followed then. */
  private readonly isFollowed: boolean;
  private readonly stored: StoredTables;
  private readonly states = new Map<WrittenTable, Map<string, RowState>>();
  private readonly removals = new Map<WrittenTable, Map<string, number>>();
  private readonly burials = new Map<string, Burial>();
  private taken = 0;

  constructor(family: readonly WrittenTable[], stored: StoredTables) {
    this.isFollowed = family.some(({ writers }) => writers.some(({ readsFirst }) => readsFirst));
    this.stored = stored;
  }

  /** Begins the next change. */
  next(): void {
    this.taken++;
  }

  /** A row's state; meaningful for rows that `rowsToRead` asked for. */
  of({ written, text, key }: RowPlace): StoredRow {
    const held = this.states.get(written)?.get(text) ?? this.stored.get(written)?.get(text);
    if (!held) return ABSENT;
    if (!held.isPresent || this.removals.size === 0) return held;
    const since = 'since' in held && typeof held.since === 'number' ? held.since : 0;
    for (const ancestor of written.ancestors) {
      const above = keyText(key().slice(0, ancestor.table.primaryKey.length));
      // Deleting a parent deletes what is interleaved in it.
      if ((this.removals.get(ancestor)?.get(above) ?? -1) >= since) return ABSENT;
    }
    return held;
  }

  set({ written, text }: RowPlace, state: StoredRow): void {
    if (this.isFollowed) rowsOf(this.states, written).set(text, { ...state, since: this.taken });
  }

  /** The row and what is interleaved in it went away; it may have been made again at once. */
  remove({ written, text }: RowPlace): void {
    if (this.isFollowed) rowsOf(this.removals, written).set(text, this.taken);
  }

  /**
   * Remembers by which version a guarded row was deleted; forgets it when it is there again, or was deleted without one.
   *
   * @param before the row before this change
   */
  bury({ written, text, key }: RowPlace, before: StoredRow, version: Cell | undefined): void {
    if (written.guardAt < 0) return;
    const isKnown = !before.isPresent && before.cells !== undefined;
    if (version === undefined && !isKnown) return;
    this.burials.set(`${written.table.name}\n${text}`, { written, key: { cells: key(), text }, version });
  }

  /** What must be written about deleted rows. */
  mutations(): readonly TableMutation[] {
    return burialMutations([...this.burials.values()]);
  }
}

function rowsOf<T>(tables: Map<WrittenTable, Map<string, T>>, written: WrittenTable): Map<string, T> {
  const held = tables.get(written);
  if (held) return held;
  const rows = new Map<string, T>();
  tables.set(written, rows);
  return rows;
}
