const MASK = (1n << 64n) - 1n;
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;

/** FarmHash's Fingerprint64 as its paper has it, in plain BigInt, as a signed number. */
export function plainFingerprint(bytes: Uint8Array): bigint {
  return BigInt.asIntN(64, hash(bytes));
}

const u64 = (value: bigint): bigint => value & MASK;
const rotate = (value: bigint, by: bigint): bigint => (by === 0n ? value : u64((value >> by) | (value << (64n - by))));
const mix = (value: bigint): bigint => value ^ (value >> 47n);

function fetch(s: Uint8Array, at: number, count: number): bigint {
  let value = 0n;
  for (let byte = count - 1; byte >= 0; byte -= 1) value = (value << 8n) | BigInt(s[at + byte] ?? 0);
  return value;
}

function hash16(u: bigint, v: bigint, mul: bigint): bigint {
  const a = mix(u64((u ^ v) * mul));
  return u64(mix(u64((v ^ a) * mul)) * mul);
}

function hash(s: Uint8Array): bigint {
  const n = s.length;
  const mul = u64(K2 + BigInt(n) * 2n);
  const f = (at: number): bigint => fetch(s, at, 8);
  if (n === 0) return K2;
  if (n < 4) {
    const y = BigInt(s[0] ?? 0) + (BigInt(s[n >> 1] ?? 0) << 8n);
    const z = BigInt(n) + (BigInt(s[n - 1] ?? 0) << 2n);
    return u64(mix(u64(y * K2) ^ u64(z * K0)) * K2);
  }
  if (n < 8) return hash16(BigInt(n) + (fetch(s, 0, 4) << 3n), fetch(s, n - 4, 4), mul);
  if (n <= 16) {
    const a = u64(f(0) + K2);
    const b = f(n - 8);
    const c = u64(rotate(b, 37n) * mul + a);
    return hash16(c, u64((rotate(a, 25n) + b) * mul), mul);
  }
  if (n <= 32) {
    const a = u64(f(0) * K1);
    const b = f(8);
    const c = u64(f(n - 8) * mul);
    const d = u64(f(n - 16) * K2);
    return hash16(u64(rotate(u64(a + b), 43n) + rotate(c, 30n) + d), u64(a + rotate(u64(b + K2), 18n) + c), mul);
  }
  throw new RangeError('Longer texts are left to the test against ZetaSQL');
}
