/** Castagnoli's polynomial, reflected. Source: RFC 3720, appendix B.4. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** `tables[slice * 256 + byte]`: what a byte does to the sum when `slice` further bytes follow it. */
const tables = new Int32Array(SLICES * 256);
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum & 1) !== 0 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
  tables[byte] = sum;
}
for (let at = 256; at < tables.length; at++) {
  const before = tables[at - 256] ?? 0;
  tables[at] = (before >>> 8) ^ (tables[before & 255] ?? 0);
}

/**
 * The CRC-32C of `bytes[from, to)`, eight bytes at a time ("slicing by 8").
 *
 * @returns an unsigned number of 32 bits
 */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const t = tables;
  let sum = -1;
  let at = from;
  for (const end = to - SLICES; at <= end; at += SLICES) {
    const low =
      sum ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    sum =
      (t[1792 + (low & 255)] as number) ^
      (t[1536 + ((low >>> 8) & 255)] as number) ^
      (t[1280 + ((low >>> 16) & 255)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < to; at++) sum = (sum >>> 8) ^ (t[(sum ^ (bytes[at] as number)) & 255] as number);
  return ~sum >>> 0;
}
