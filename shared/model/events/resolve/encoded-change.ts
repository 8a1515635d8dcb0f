import type { EncodedRow, RowArena } from '../row-bytes.ts';

/**
 * A write of every column that the pipeline writes, already in the protocol's bytes.
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
  private text: string | undefined;

  /** @param text of the key, where it is no single text of the row */
  constructor({ arena, from, to }: EncodedRow, keyFrom: number, keyTo: number, text?: string) {
    this.arena = arena;
    this.from = from;
    this.to = to;
    this.keyFrom = keyFrom;
    this.keyTo = keyTo;
    this.text = text;
  }

  /** As in `RowKey`. */
  get keyText(): string {
    this.text ??= this.arena.bytes.toString('utf8', this.keyFrom, this.keyTo);
    return this.text;
  }
}
