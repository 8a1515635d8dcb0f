import type { RowArena } from '../row-bytes.ts';
import type { EncodedChange } from './encoded-change.ts';

const FIRST_ROWS = 32;
/** What a batch has at most, mostly; larger ones grow. */
const MAX_FIRST_ROWS = 8_192;

/**
 * The last row of each key, in the order of each key's first: keys are compared by their bytes, and no text is made of them.
 *
 * All rows lie in one arena, and each key is one text of its row.
 */
export class RowsByKey {
  readonly rows: EncodedChange[] = [];
  private readonly arena: RowArena;
  /** One above the row's place; 0 where there is none. Twice as many as rows, at least. */
  private places: Int32Array;
  private hashes: Int32Array;

  /** @param expectedRows how many rows there will be, about */
  constructor(arena: RowArena, expectedRows = FIRST_ROWS) {
    this.arena = arena;
    const count = 2 ** Math.ceil(Math.log2(Math.min(MAX_FIRST_ROWS, Math.max(FIRST_ROWS, expectedRows))));
    this.places = new Int32Array(2 * count);
    this.hashes = new Int32Array(count);
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

/** MurmurHash3, 32 bits. Source: github.com/aappleby/smhasher, MurmurHash3.cpp. */
function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const word =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    hash ^= mixed(word);
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let shift = 0; at < to; at++, shift += 8) rest |= (bytes[at] ?? 0) << shift;
  hash ^= mixed(rest) ^ (to - from);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function mixed(word: number): number {
  const multiplied = Math.imul(word, 0xcc9e2d51);
  return Math.imul((multiplied << 15) | (multiplied >>> 17), 0x1b873593);
}

function isSameKey(bytes: Buffer, one: EncodedChange, other: EncodedChange): boolean {
  const length = one.keyTo - one.keyFrom;
  if (other.keyTo - other.keyFrom !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[one.keyFrom + at] !== bytes[other.keyFrom + at]) return false;
  return true;
}
