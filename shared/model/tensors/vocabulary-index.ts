/** Finds a value's place in a vocabulary from its bytes, without making a string. */
export type FindPlace = (bytes: Uint8Array) => number;

/**
 * Indexes a vocabulary by an open-addressed table at most half full.
 *
 * @param values unique
 * @returns a function from a value's UTF-8 to its place, -1 for one that is not there
 */
export function vocabularyIndex(values: readonly string[]): FindPlace {
  const entries = values.map((value) => Buffer.from(value));
  let size = 4;
  while (size < entries.length * 2) size *= 2;
  const slots = new Int32Array(size).fill(-1);
  const mask = size - 1;
  for (const [place, bytes] of entries.entries()) {
    let slot = hash(bytes) & mask;
    while (slots[slot] !== -1) slot = (slot + 1) & mask;
    slots[slot] = place;
  }
  return (bytes) => {
    let slot = hash(bytes) & mask;
    for (;;) {
      const place = slots[slot] ?? -1;
      if (place === -1) return -1;
      const entry = entries[place];
      if (entry !== undefined && isSame(entry, bytes)) return place;
      slot = (slot + 1) & mask;
    }
  };
}

/** FNV-1a in 32 bits, with the high bits folded in. */
function hash(bytes: Uint8Array): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < bytes.length; at += 1) state = Math.imul(state ^ (bytes[at] ?? 0), 0x01000193);
  return state ^ (state >>> 15);
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) return false;
  return true;
}
