import type { RowArena } from '../row-bytes.ts';
import type { EncodedChange } from './encoded-change.ts';

const FIRST_PLACES = 1024;
/** FNV-1a. Source: datatracker.ietf.org/doc/html/draft-eastlake-fnv. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The last row of each key, in the order of each key's first: keys are compared by their bytes, and no text is made of them.
 *
 * All rows lie in one arena, and each key is one text of its row.
 */
export class RowsByKey {
  readonly rows: EncodedChange[] = [];
  private readonly arena: RowArena;
  /** One above the row's place; 0 where there is none. Twice as many as rows, at least. */
  private places = new Int32Array(FIRST_PLACES);
  private hashes: Int32Array = new Int32Array(FIRST_PLACES / 2);

  constructor(arena: RowArena) {
    this.arena = arena;
  }

  /** @returns false for a row that cannot be kept here */
  set(row: EncodedChange): boolean {
    const { arena, keyFrom, keyTo } = row;
    if (arena !== this.arena || keyFrom < 0) return false;
    if (this.rows.length === this.hashes.length) this.grow();
    const { bytes } = arena;
    const { places, hashes, rows } = this;
    const hash = hashOf(bytes, keyFrom, keyTo);
    const mask = places.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const place = (places[at] ?? 0) - 1;
      if (place < 0) {
        hashes[rows.length] = hash;
        places[at] = rows.push(row);
        return true;
      }
      const other = rows[place];
      if (hashes[place] === hash && other && isSameKey(bytes, row, other)) {
        rows[place] = row;
        return true;
      }
    }
  }

  private grow(): void {
    const hashes = new Int32Array(this.hashes.length * 2);
    hashes.set(this.hashes);
    this.hashes = hashes;
    this.places = new Int32Array(hashes.length * 2);
    const mask = this.places.length - 1;
    for (let place = 0; place < this.rows.length; place++) {
      let at = (hashes[place] ?? 0) & mask;
      while (this.places[at] !== 0) at = (at + 1) & mask;
      this.places[at] = place + 1;
    }
  }
}

function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = FNV_OFFSET | 0;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), FNV_PRIME);
  // The low bits choose the place.
  return hash ^ (hash >>> 15);
}

function isSameKey(bytes: Buffer, one: EncodedChange, other: EncodedChange): boolean {
  const length = one.keyTo - one.keyFrom;
  if (other.keyTo - other.keyFrom !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[one.keyFrom + at] !== bytes[other.keyFrom + at]) return false;
  return true;
}
