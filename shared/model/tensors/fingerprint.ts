/** 64 bits as two unsigned halves: several times faster than a BigInt. */
export interface Word {
  readonly hi: number;
  readonly lo: number;
}

type Pair = readonly [Word, Word];

const TWO_32 = 0x1_0000_0000;
const K0 = word(0xc3a5c85c, 0x97cb3127);
const K1 = word(0xb492b66f, 0xbe98f273);
const K2 = word(0x9ae16a3b, 0x2f90404f);

/**
 * The fingerprint that GoogleSQL's FARM_FINGERPRINT gives: FarmHash's Fingerprint64.
 *
 * @param bytes a STRING's UTF-8, or BYTES
 * @see https://github.com/google/farmhash (farmhashna::Hash64)
 */
export function fingerprint(bytes: Uint8Array): Word {
  const { length } = bytes;
  if (length <= 16) return hashTo16(bytes, length);
  if (length <= 32) return hashTo32(bytes, length);
  if (length <= 64) return hashTo64(bytes, length);
  return hashLong(bytes, length);
}

/** `ABS(MOD(FARM_FINGERPRINT(x), divisor))` of GoogleSQL, where the fingerprint is signed; divisor up to 2^20. */
export function fingerprintModulo({ hi, lo }: Word, divisor: number): number {
  const isNegative = hi >= 0x8000_0000;
  const magnitude = isNegative ? add(word(~hi, ~lo), word(0, 1)) : { hi, lo };
  return ((magnitude.hi % divisor) * (TWO_32 % divisor) + (magnitude.lo % divisor)) % divisor;
}

/**
 * `fingerprintModulo(fingerprint(bytes[from … to)), divisor)`, without an object for texts of 8 to 16 bytes, as most keys
 * are: they are fingerprinted row by row.
 */
export function fingerprintModuloAt(bytes: Uint8Array, from: number, to: number, divisor: number): number {
  const length = to - from;
  if (length < 8 || length > 16) return fingerprintModulo(fingerprint(bytes.subarray(from, to)), divisor);
  const lo = hashShort(bytes, from, to);
  const hi = high;
  if (hi >= 0) return ((hi % divisor) * (TWO_32 % divisor) + ((lo >>> 0) % divisor)) % divisor;
  const negated = -lo | 0;
  const carried = (~hi + (lo === 0 ? 1 : 0)) >>> 0;
  return ((carried % divisor) * (TWO_32 % divisor) + ((negated >>> 0) % divisor)) % divisor;
}

/** The high half of what the functions below give the low half of, as whole signed numbers: V8 keeps such without objects. */
let high = 0;

/** `hashTo16` of 8 to 16 bytes. */
function hashShort(s: Uint8Array, from: number, to: number): number {
  const mulLo = (K2.lo + (to - from) * 2) | 0;
  const mulHi = K2.hi | 0;
  const firstLo = int32(s, from);
  const aLo = (firstLo + K2.lo) | 0;
  const aHi = (int32(s, from + 4) + K2.hi + carry(aLo, firstLo)) | 0;
  const bLo = int32(s, to - 8);
  const bHi = int32(s, to - 4);
  // c = rotate(b, 37) * mul + a
  const product = multiplyShort((bLo >>> 5) | (bHi << 27), (bHi >>> 5) | (bLo << 27), mulHi, mulLo);
  const cLo = (product + aLo) | 0;
  const cHi = (high + aHi + carry(cLo, product)) | 0;
  // d = (rotate(a, 25) + b) * mul
  const rotatedLo = (aLo >>> 25) | (aHi << 7);
  const sumLo = (rotatedLo + bLo) | 0;
  const sumHi = (((aHi >>> 25) | (aLo << 7)) + bHi + carry(sumLo, rotatedLo)) | 0;
  const dLo = multiplyShort(sumHi, sumLo, mulHi, mulLo);
  const dHi = high;
  // hash16(c, d, mul)
  const xLo = multiplyShort(cHi ^ dHi, cLo ^ dLo, mulHi, mulLo);
  const xHi = high;
  const yLo = multiplyShort(dHi ^ xHi, dLo ^ xLo ^ (xHi >>> 15), mulHi, mulLo);
  return multiplyShort(high, yLo ^ (high >>> 15), mulHi, mulLo);
}

/** 1 where a sum's low half went over. */
function carry(sum: number, part: number): number {
  return sum >>> 0 < part >>> 0 ? 1 : 0;
}

function multiplyShort(leftHi: number, leftLo: number, rightHi: number, rightLo: number): number {
  const l0 = leftLo & 0xffff;
  const l1 = leftLo >>> 16;
  const r0 = rightLo & 0xffff;
  const r1 = rightLo >>> 16;
  const low = Math.imul(l0, r0);
  const middle = (Math.imul(l1, r0) + (low >>> 16)) | 0;
  const crossed = (Math.imul(l0, r1) + (middle & 0xffff)) | 0;
  const over = (Math.imul(l1, r1) + (middle >>> 16) + (crossed >>> 16)) | 0;
  high = (over + Math.imul(leftHi, rightLo) + Math.imul(leftLo, rightHi)) | 0;
  return (crossed << 16) | (low & 0xffff);
}

function int32(s: Uint8Array, at: number): number {
  return byte(s, at) | (byte(s, at + 1) << 8) | (byte(s, at + 2) << 16) | (byte(s, at + 3) << 24);
}

function hashTo16(s: Uint8Array, length: number): Word {
  if (length >= 8) {
    const mul = add(K2, word(0, length * 2));
    const a = add(fetch64(s, 0), K2);
    const b = fetch64(s, length - 8);
    const c = add(multiply(rotate(b, 37), mul), a);
    const d = multiply(add(rotate(a, 25), b), mul);
    return hash16(c, d, mul);
  }
  if (length >= 4) {
    const mul = add(K2, word(0, length * 2));
    const a = fetch32(s, 0);
    const shifted = word(a >>> 29, a << 3);
    return hash16(add(shifted, word(0, length)), word(0, fetch32(s, length - 4)), mul);
  }
  if (length > 0) {
    const y = byte(s, 0) + byte(s, length >> 1) * 256;
    const z = length + byte(s, length - 1) * 4;
    return multiply(shiftMix(xor(multiply(word(0, y), K2), multiply(word(0, z), K0))), K2);
  }
  return K2;
}

function hashTo32(s: Uint8Array, length: number): Word {
  const mul = add(K2, word(0, length * 2));
  const a = multiply(fetch64(s, 0), K1);
  const b = fetch64(s, 8);
  const c = multiply(fetch64(s, length - 8), mul);
  const d = multiply(fetch64(s, length - 16), K2);
  const u = add(add(rotate(add(a, b), 43), rotate(c, 30)), d);
  return hash16(u, add(add(a, rotate(add(b, K2), 18)), c), mul);
}

function hashTo64(s: Uint8Array, length: number): Word {
  const mul = add(K2, word(0, length * 2));
  const a = multiply(fetch64(s, 0), K2);
  const b = fetch64(s, 8);
  const c = multiply(fetch64(s, length - 8), mul);
  const d = multiply(fetch64(s, length - 16), K2);
  const y = add(add(rotate(add(a, b), 43), rotate(c, 30)), d);
  const z = hash16(y, add(add(a, rotate(add(b, K2), 18)), c), mul);
  const e = multiply(fetch64(s, 16), mul);
  const f = fetch64(s, 24);
  const g = multiply(add(y, fetch64(s, length - 32)), mul);
  const h = multiply(add(z, fetch64(s, length - 24)), mul);
  const u = add(add(rotate(add(e, f), 43), rotate(g, 30)), h);
  return hash16(u, add(add(e, rotate(add(f, a), 18)), g), mul);
}

function hashLong(s: Uint8Array, length: number): Word {
  const seed = word(0, 81);
  let y = add(multiply(seed, K1), word(0, 113));
  let z = multiply(shiftMix(add(multiply(y, K2), word(0, 113))), K2);
  let v: Pair = [word(0, 0), word(0, 0)];
  let w: Pair = [word(0, 0), word(0, 0)];
  let x = add(multiply(seed, K2), fetch64(s, 0));
  const end = Math.floor((length - 1) / 64) * 64;
  const tail = (length - 1) & 63;
  for (let at = 0; at < end; at += 64) {
    x = multiply(rotate(add(add(x, y), add(v[0], fetch64(s, at + 8))), 37), K1);
    y = multiply(rotate(add(add(y, v[1]), fetch64(s, at + 48)), 42), K1);
    x = xor(x, w[1]);
    y = add(y, add(v[0], fetch64(s, at + 40)));
    z = multiply(rotate(add(z, w[0]), 33), K1);
    v = weakHash32(s, at, multiply(v[1], K1), add(x, w[0]));
    w = weakHash32(s, at + 32, add(z, w[1]), add(y, fetch64(s, at + 16)));
    [z, x] = [x, z];
  }
  const mul = add(K1, word(0, (z.lo & 0xff) * 2));
  const at = end + tail - 63;
  w = [add(w[0], word(0, tail)), w[1]];
  v = [add(v[0], w[0]), v[1]];
  w = [add(w[0], v[0]), w[1]];
  const nine = word(0, 9);
  x = multiply(rotate(add(add(x, y), add(v[0], fetch64(s, at + 8))), 37), mul);
  y = multiply(rotate(add(add(y, v[1]), fetch64(s, at + 48)), 42), mul);
  x = xor(x, multiply(w[1], nine));
  y = add(y, add(multiply(v[0], nine), fetch64(s, at + 40)));
  z = multiply(rotate(add(z, w[0]), 33), mul);
  v = weakHash32(s, at, multiply(v[1], mul), add(x, w[0]));
  w = weakHash32(s, at + 32, add(z, w[1]), add(y, fetch64(s, at + 16)));
  [z, x] = [x, z];
  const left = add(add(hash16(v[0], w[0], mul), multiply(shiftMix(y), K0)), z);
  return hash16(left, add(hash16(v[1], w[1], mul), x), mul);
}

function weakHash32(s: Uint8Array, at: number, seedA: Word, seedB: Word): Pair {
  const last = fetch64(s, at + 24);
  const first = add(seedA, fetch64(s, at));
  const rotated = rotate(add(add(seedB, first), last), 21);
  const sum = add(add(first, fetch64(s, at + 8)), fetch64(s, at + 16));
  return [add(sum, last), add(add(rotated, rotate(sum, 44)), first)];
}

function hash16(u: Word, v: Word, mul: Word): Word {
  const a = shiftMix(multiply(xor(u, v), mul));
  return multiply(shiftMix(multiply(xor(v, a), mul)), mul);
}

function word(hi: number, lo: number): Word {
  return { hi: hi >>> 0, lo: lo >>> 0 };
}

function add(left: Word, right: Word): Word {
  const lo = left.lo + right.lo;
  return word(left.hi + right.hi + (lo >= TWO_32 ? 1 : 0), lo);
}

function xor(left: Word, right: Word): Word {
  return word(left.hi ^ right.hi, left.lo ^ right.lo);
}

/** The low 64 bits of the product. */
function multiply(left: Word, right: Word): Word {
  const l0 = left.lo & 0xffff;
  const l1 = left.lo >>> 16;
  const r0 = right.lo & 0xffff;
  const r1 = right.lo >>> 16;
  const p00 = l0 * r0;
  const p01 = l0 * r1;
  const p10 = l1 * r0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carried = l1 * r1 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  const hi = (carried >>> 0) + (Math.imul(left.hi, right.lo) >>> 0) + (Math.imul(left.lo, right.hi) >>> 0);
  return word(hi, (p00 & 0xffff) | (middle << 16));
}

/** To the right, by 1 to 63 bits but 32. */
function rotate({ hi, lo }: Word, bits: number): Word {
  if (bits > 32) return rotate({ hi: lo, lo: hi }, bits - 32);
  return word((hi >>> bits) | (lo << (32 - bits)), (lo >>> bits) | (hi << (32 - bits)));
}

/** `value ^ (value >> 47)`. */
function shiftMix({ hi, lo }: Word): Word {
  return word(hi, lo ^ (hi >>> 15));
}

function byte(s: Uint8Array, at: number): number {
  return s[at] ?? 0;
}

function fetch32(s: Uint8Array, at: number): number {
  return (byte(s, at) | (byte(s, at + 1) << 8) | (byte(s, at + 2) << 16) | (byte(s, at + 3) << 24)) >>> 0;
}

function fetch64(s: Uint8Array, at: number): Word {
  return word(fetch32(s, at + 4), fetch32(s, at));
}
