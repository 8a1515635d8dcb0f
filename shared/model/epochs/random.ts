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
  const state = seededState(words);
  return (below) => {
    if (!Number.isInteger(below) || below < 1 || below > TWO_32) throw new RangeError(`Cannot draw below ${below}`);
    let drawn = nextWord(state);
    // Only what lies in the last, short run of `below` numbers is drawn again; where that begins is seldom asked.
    while (drawn >= TWO_32 - below && drawn >= TWO_32 - (TWO_32 % below)) drawn = nextWord(state);
    return drawn % below;
  };
}

/**
 * A permutation of `0 … count - 1`, by Fisher and Yates (Durstenfeld's order, from the end), as `seededDraw(words)` draws them.
 *
 * The generator stands in it once more: with its state in variables of the loop, and a division of whole numbers instead of doubles,
 * it takes half the time.
 */
export function permutation(count: number, words: readonly number[]): Int32Array {
  const state = seededState(words);
  let a = state[0] ?? 0;
  let b = state[1] ?? 0;
  let c = state[2] ?? 0;
  let counter = state[3] ?? 0;
  const order = numbersBelow(count);
  for (let last = count - 1; last > 0; last -= 1) {
    const below = (last + 1) | 0;
    let drawn = 0;
    do {
      const word = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + word) | 0;
      drawn = word >>> 0;
    } while (drawn >= TWO_32 - below && drawn >= TWO_32 - (TWO_32 % below));
    const other = (drawn >>> 0) % (below >>> 0);
    const moved = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}

/** The state of sfc32: three words and a counter. */
function seededState(words: readonly number[]): Int32Array {
  const state = Int32Array.of(0x9e3779b9, 0x243f6a88, 0xb7e15162, 1);
  for (const word of words) {
    state[0] = (state[0] ?? 0) ^ (word >>> 0);
    state[1] = (state[1] ?? 0) ^ (Math.floor(word / TWO_32) >>> 0);
    for (let round = 0; round < 16; round += 1) nextWord(state);
  }
  return state;
}

/** @returns 32 bits, and moves the state on */
function nextWord(state: Int32Array): number {
  const b = state[1] ?? 0;
  const c = state[2] ?? 0;
  const counter = state[3] ?? 0;
  const drawn = ((state[0] ?? 0) + b + counter) | 0;
  state[0] = b ^ (b >>> 9);
  state[1] = c + (c << 3);
  state[2] = ((c << 21) | (c >>> 11)) + drawn;
  state[3] = counter + 1;
  return drawn >>> 0;
}

/** In a function of its own: V8 optimised the first of two loops in one, and gave that up at the second in each block anew. */
function numbersBelow(count: number): Int32Array {
  const order = new Int32Array(count);
  for (let at = 0; at < count; at += 1) order[at] = at;
  return order;
}
