const SCALE = 9;

/** A decimal text as ZetaSQL packs it: value × 10⁹, two's complement, little-endian, as few bytes as hold it. */
export function packNumeric(text: string): Uint8Array {
  let rest = scaledNumeric(text);
  const bytes: number[] = [];
  while (true) {
    const byte = Number(rest & 0xffn);
    bytes.push(byte);
    rest >>= 8n;
    if ((rest === 0n && byte < 0x80) || (rest === -1n && byte >= 0x80)) return Uint8Array.from(bytes);
  }
}

/** The canonical decimal text of a packed NUMERIC: no exponent, no zeros at the end. */
export function unpackNumeric(bytes: Uint8Array): string {
  let scaled = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) scaled = (scaled << 8n) | BigInt(bytes[at] ?? 0);
  return printScaled(BigInt.asIntN(8 * bytes.length, scaled));
}

/** The value × 10⁹ of a canonical decimal text. */
export function scaledNumeric(text: string): bigint {
  const [, sign, whole = '0', fraction = ''] = /^(-?)([0-9]+)(?:\.([0-9]{1,9}))?$/.exec(text) ?? [];
  if (sign === undefined) throw new RangeError(`Not a canonical NUMERIC: ${text}`);
  const magnitude = BigInt(whole + fraction.padEnd(SCALE, '0'));
  return sign === '-' ? -magnitude : magnitude;
}

/** The canonical decimal text of a value × 10⁹. */
export function printScaled(scaled: bigint): string {
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(SCALE + 1, '0');
  const fraction = digits.slice(-SCALE).replace(/0+$/, '');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -SCALE)}${fraction && `.${fraction}`}`;
}
