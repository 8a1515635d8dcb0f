/** Texts one after the other: text `i` is `bytes[offsets[i] … offsets[i + 1])`, in UTF-8. */
export interface Texts {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

/** Finds the places of texts in a vocabulary, without making strings; -1 for one that is not there. */
export type FindPlaces = (texts: Texts, rows: Int32Array, into: Int32Array) => void;

/** Texts of so many bytes are one number, and compared as such. */
const WORD_BYTES = 4;

/**
 * Indexes a vocabulary by an open-addressed table at most half full.
 *
 * @param values unique
 */
export function vocabularyIndex(values: readonly string[]): FindPlaces {
  const entries = values.map((value) => Buffer.from(value));
  const all = Buffer.concat(entries);
  const ends = new Int32Array(entries.length + 1);
  for (const [place, { length }] of entries.entries()) ends[place + 1] = (ends[place] ?? 0) + length;
  let size = 4;
  while (size < entries.length * 2) size *= 2;
  const table = { places: new Int32Array(size).fill(-1), words: new Int32Array(size), lengths: new Int32Array(size) };
  for (const [place, bytes] of entries.entries()) {
    const word = wordOf(bytes, 0, bytes.length);
    let slot = spread(word) & (size - 1);
    while (table.places[slot] !== -1) slot = (slot + 1) & (size - 1);
    table.places[slot] = place;
    table.words[slot] = word;
    table.lengths[slot] = bytes.length;
  }
  const { places, words, lengths } = table;
  const mask = size - 1;
  return ({ bytes, offsets }, rows, into) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const lastWordFrom = bytes.length - WORD_BYTES;
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] ?? 0;
      const from = offsets[row] ?? 0;
      const to = offsets[row + 1] ?? 0;
      const length = to - from;
      const isShort = length <= WORD_BYTES;
      const word =
        isShort && from <= lastWordFrom ? view.getInt32(from, true) & (masks[length] ?? 0) : wordOf(bytes, from, to);
      let slot = spread(word) & mask;
      let place = places[slot] ?? -1;
      while (
        place >= 0 &&
        !(
          words[slot] === word &&
          lengths[slot] === length &&
          (isShort || isSame(all, ends[place] ?? 0, bytes, from, length))
        )
      ) {
        slot = (slot + 1) & mask;
        place = places[slot] ?? -1;
      }
      into[at] = place;
    }
  };
}

/** What a short text takes of four bytes, by its length. */
const masks = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1);

/** The bytes of a short text themselves, the first one lowest; of a longer one a hash: FNV-1a in 32 bits. */
function wordOf(bytes: Uint8Array, from: number, to: number): number {
  let word = 0;
  if (to - from <= WORD_BYTES) {
    for (let at = to - 1; at >= from; at -= 1) word = (word << 8) | (bytes[at] ?? 0);
    return word;
  }
  word = 0x811c9dc5;
  for (let at = from; at < to; at += 1) word = Math.imul(word ^ (bytes[at] ?? 0), 0x01000193);
  return word;
}

/** Fibonacci hashing: the high bits depend on all of the word's, and are folded in. */
function spread(word: number): number {
  const mixed = Math.imul(word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function isSame(all: Uint8Array, start: number, bytes: Uint8Array, from: number, length: number): boolean {
  for (let at = 0; at < length; at += 1) if (bytes[from + at] !== all[start + at]) return false;
  return true;
}
