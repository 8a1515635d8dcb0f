import { createHash } from 'node:crypto';

/** Numbers from 0 to 1, the same for the same key on every machine. */
export type Random = () => number;

/**
 * Makes the generator that a key names: Doty-Humphrey's sfc32, seeded by the key's SHA-256.
 *
 * @see https://pracrand.sourceforge.net/RNG_engines.txt
 */
export function openRandom(...key: readonly (string | number)[]): Random {
  const words = createHash('sha256').update(JSON.stringify(key)).digest();
  let a = words.readInt32LE(0);
  let b = words.readInt32LE(4);
  let c = words.readInt32LE(8);
  let counter = words.readInt32LE(12);
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
}

/** The numbers from 0 to count-1 in a random order (Fisher and Yates). */
export function permute(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let left = count - 1; left > 0; left -= 1) {
    const taken = Math.floor(random() * (left + 1));
    const value = order[taken] ?? 0;
    order[taken] = order[left] ?? 0;
    order[left] = value;
  }
  return order;
}
