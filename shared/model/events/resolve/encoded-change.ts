import type { EncodedRow, RowArena } from '../row-bytes.ts';

/** Which of a target's columns a row has cells for; others it leaves as they are. */
export interface RowShape {
  /** By name, in the order of the cells. */
  readonly columns: readonly string[];
  /** Places among the target's columns that have no cell, in order. */
  readonly absent: readonly number[];
}

/** Whether a row of the first shape leaves nothing of one of the second. */
export function covers(shape: RowShape, other: RowShape): boolean {
  return shape === other || shape.absent.every((place) => other.absent.includes(place));
}

/**
 * A write of a row, already in the protocol's bytes.
 *
 * The key of most rows is one text of theirs: it is then known by its place among the row's bytes, which is enough to tell
 * rows apart, and becomes a text only for who asks.
 */
export class EncodedChange implements EncodedRow {
  readonly kind = 'encoded';
  readonly arena: RowArena;
  readonly from: number;
  readonly to: number;
  /** Where the key's text stands among the arena's bytes; -1 for a key that is no single text. */
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly shape: RowShape;
  private text: string | undefined;

  /**
   * By position: an object of options for each row would cost as much as the row.
   *
   * @param text of the key, where it is no single text of the row
   */
  constructor(
    arena: RowArena,
    from: number,
    to: number,
    keyFrom: number,
    keyTo: number,
    shape: RowShape,
    text?: string,
  ) {
    this.arena = arena;
    this.from = from;
    this.to = to;
    this.keyFrom = keyFrom;
    this.keyTo = keyTo;
    this.shape = shape;
    this.text = text;
  }

  /** As in `RowKey`. */
  get keyText(): string {
    this.text ??= this.arena.bytes.toString('utf8', this.keyFrom, this.keyTo);
    return this.text;
  }
}
