/** Draws whole numbers in `[0, below)`, `below` from 1 to 2^32, each equally likely. */
export type Draw = (below: number) => number;

const TWO_32 = 0x1_0000_0000;

/**
 * A reproducible source of random numbers: Chris Doty-Humphrey's sfc32 (PractRand), its state filled from the words.
 *
 * The words are mixed into the 128 bits of state one after the other, with 16 rounds after each, so that streams whose
 * words differ anywhere are unrelated. Bounded draws reject what would favour small numbers.
 *
 * @param words whole numbers; each is taken modulo 2^32 after its high half (up to 2^53)
 */
export function seededDraw(words: readonly number[]): Draw {
  // Whole signed numbers, which V8 keeps without objects.
  let a = 0x9e3779b9 | 0;
  let b = 0x243f6a88 | 0;
  let c = 0xb7e15162 | 0;
  let counter = 1;
  const next = (): number => {
    const drawn = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + drawn) | 0;
    return drawn >>> 0;
  };
  for (const word of words) {
    a ^= word >>> 0;
    b ^= Math.floor(word / TWO_32) >>> 0;
    for (let round = 0; round < 16; round += 1) next();
  }
  return (below) => {
    if (!Number.isInteger(below) || below < 1 || below > TWO_32) throw new RangeError(`Cannot draw below ${below}`);
    let drawn = next();
    // Only what lies in the last, short run of `below` numbers is drawn again; where that begins is seldom asked.
    while (drawn >= TWO_32 - below && drawn >= TWO_32 - (TWO_32 % below)) drawn = next();
    return drawn % below;
  };
}

/** A permutation of `0 … count - 1`, by Fisher and Yates (Durstenfeld's order, from the end). */
export function permutation(count: number, draw: Draw): Int32Array {
  const order = numbersBelow(count);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = draw(last + 1);
    const moved = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}

/** In a function of its own: V8 optimised the first of two loops in one, and gave that up at the second in each block anew. */
function numbersBelow(count: number): Int32Array {
  const order = new Int32Array(count);
  for (let at = 0; at < count; at += 1) order[at] = at;
  return order;
}
