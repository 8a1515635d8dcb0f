/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;
const tables = buildTables();

/**
 * The CRC-32C of `bytes[from, to)`, eight bytes a step.
 *
 * Source of the method: M. E. Kounavis and F. L. Berry, "A systematic approach to building high performance
 * software-based CRC generators", 2005 (slicing-by-8).
 */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  const at = (index: number): number => bytes[index] ?? 0;
  let crc = ~0;
  let position = from;
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
  for (const end = to - 7; position < end; position += 8) {
    const low = crc ^ (at(position) | (at(position + 1) << 8) | (at(position + 2) << 16) | (at(position + 3) << 24));
    crc =
      look(t7, low) ^
      look(t6, low >>> 8) ^
      look(t5, low >>> 16) ^
      look(t4, low >>> 24) ^
      look(t3, at(position + 4)) ^
      look(t2, at(position + 5)) ^
      look(t1, at(position + 6)) ^
      look(t0, at(position + 7));
  }
  for (; position < to; position++) crc = (crc >>> 8) ^ look(t0, crc ^ at(position));
  return ~crc >>> 0;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

function look(table: Int32Array, index: number): number {
  return table[index & 0xff] ?? 0;
}

function buildTables(): Tables {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  const built = Array.from({ length: SLICES }, () => new Int32Array(256));
  built[0] = first;
  for (let slice = 1; slice < SLICES; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = built[slice - 1]?.[byte] ?? 0;
      (built[slice] ?? first)[byte] = (before >>> 8) ^ look(first, before);
    }
  }
  const [t0, t1, t2, t3, t4, t5, t6, t7] = built;
  if (!t0 || !t1 || !t2 || !t3 || !t4 || !t5 || !t6 || !t7) throw new RangeError(`${SLICES} CRC tables are needed`);
  return [t0, t1, t2, t3, t4, t5, t6, t7];
}
