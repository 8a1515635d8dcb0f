/** Texts one after the other: text `i` is `bytes[offsets[i] … offsets[i + 1])`, in UTF-8. */
export interface Texts {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

/** Finds the places of texts in a vocabulary, without making strings; -1 for one that is not there. */
export type FindPlaces = (texts: Texts, rows: Int32Array, into: Int32Array) => void;

/** Texts of so many bytes are one number, and compared as such. */
const WORD_BYTES = 4;
/** A slot's place is kept with the length of its text, which is at most this where it is longer. */
const MAX_KEPT_LENGTH = 7;
const LENGTH_BITS = 3;
/** Slots for each text: few texts then lie beside their own. */
const SLOTS_PER_TEXT = 4;

/** Two numbers a slot: what the text is as a word, and its place with its length; -1 for a free one. */
interface Table {
  readonly slots: Int32Array;
  readonly mask: number;
  /** The hash's high bits are the slot. */
  readonly shift: number;
  readonly all: Uint8Array;
  readonly ends: Int32Array;
}

/**
 * Indexes a vocabulary by an open-addressed table at most a quarter full.
 *
 * @param values unique, fewer than 2^28
 */
export function vocabularyIndex(values: readonly string[]): FindPlaces {
  const table = tableOf(values.map((value) => Buffer.from(value)));
  const { slots, mask, shift } = table;
  return ({ bytes, offsets }, rows, into) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const lastWordFrom = bytes.length - WORD_BYTES;
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const from = offsets[row] ?? 0;
      const length = (offsets[row + 1] ?? 0) - from;
      if (length > WORD_BYTES || from > lastWordFrom) {
        into[at] = findOther(table, bytes, from, length);
        continue;
      }
      const word = view.getInt32(from, true) & (masks[length] ?? 0);
      let slot = Math.imul(word, FIBONACCI) >>> shift;
      let found = slots[slot * 2 + 1] ?? -1;
      while (found >= 0 && !(slots[slot * 2] === word && (found & MAX_KEPT_LENGTH) === length)) {
        slot = (slot + 1) & mask;
        found = slots[slot * 2 + 1] ?? -1;
      }
      into[at] = found >> LENGTH_BITS;
    }
  };
}

function tableOf(entries: readonly Buffer[]): Table {
  const all = Buffer.concat(entries);
  const ends = new Int32Array(entries.length + 1);
  for (const [place, { length }] of entries.entries()) ends[place + 1] = (ends[place] ?? 0) + length;
  let bits = 2;
  while (2 ** bits < entries.length * SLOTS_PER_TEXT) bits += 1;
  const table = { slots: new Int32Array(2 ** bits * 2).fill(-1), mask: 2 ** bits - 1, shift: 32 - bits, all, ends };
  for (const [place, bytes] of entries.entries()) {
    const word = wordOf(bytes, 0, bytes.length);
    let slot = Math.imul(word, FIBONACCI) >>> table.shift;
    while (table.slots[slot * 2 + 1] !== -1) slot = (slot + 1) & table.mask;
    table.slots[slot * 2] = word;
    table.slots[slot * 2 + 1] = (place << LENGTH_BITS) | Math.min(bytes.length, MAX_KEPT_LENGTH);
  }
  return table;
}

/** A text of more bytes than a word, or the last one of all. */
function findOther(table: Table, bytes: Uint8Array, from: number, length: number): number {
  const { slots, mask, shift, all, ends } = table;
  const word = wordOf(bytes, from, from + length);
  const kept = Math.min(length, MAX_KEPT_LENGTH);
  for (let slot = Math.imul(word, FIBONACCI) >>> shift; ; slot = (slot + 1) & mask) {
    const found = slots[slot * 2 + 1] ?? -1;
    if (found < 0) return -1;
    if (slots[slot * 2] !== word || (found & MAX_KEPT_LENGTH) !== kept) continue;
    const place = found >> LENGTH_BITS;
    const start = ends[place] ?? 0;
    if ((ends[place + 1] ?? 0) - start === length && isSame(all, start, bytes, from, length)) return place;
  }
}

/** What a short text takes of four bytes, by its length. */
const masks = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1);

/** 2^32 over the golden ratio: the high bits of a product with it depend on all of the word's. */
const FIBONACCI = 0x9e3779b1;

/** The bytes of a short text themselves, the first one lowest; of a longer one a hash: FNV-1a in 32 bits. */
function wordOf(bytes: Uint8Array, from: number, to: number): number {
  let word = 0;
  if (to - from <= WORD_BYTES) {
    for (let at = to - 1; at >= from; at -= 1) word = (word << 8) | (bytes[at] ?? 0);
    return word;
  }
  word = 0x811c9dc5 | 0;
  for (let at = from; at < to; at += 1) word = Math.imul(word ^ (bytes[at] ?? 0), 0x01000193);
  return word;
}

function isSame(all: Uint8Array, start: number, bytes: Uint8Array, from: number, length: number): boolean {
  for (let at = 0; at < length; at += 1) if (bytes[from + at] !== all[start + at]) return false;
  return true;
}
