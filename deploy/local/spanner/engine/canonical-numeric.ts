const NUMERIC_PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
const MAX_INTEGER_DIGITS = 29;
const MAX_FRACTION_DIGITS = 9;

/** The shortest decimal text of a NUMERIC (29 digits before the point, 9 behind it); undefined if the text is none. */
export function canonicalNumeric(text: string): string | undefined {
  const match = NUMERIC_PATTERN.exec(text);
  if (!match) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  if (whole.length + fraction.length === 0) return undefined;
  const { integer, decimals } = shift(whole, fraction, Number(exponent));
  if (integer.length > MAX_INTEGER_DIGITS || decimals.length > MAX_FRACTION_DIGITS) return undefined;
  const magnitude = decimals ? `${integer || '0'}.${decimals}` : integer || '0';
  return sign === '-' && magnitude !== '0' ? `-${magnitude}` : magnitude;
}

function shift(whole: string, fraction: string, exponent: number): { integer: string; decimals: string } {
  const digits = whole + fraction;
  const point = whole.length + exponent;
  const padded = point < 0 ? '0'.repeat(-point) + digits : digits.padEnd(point, '0');
  const at = Math.max(point, 0);
  return { integer: padded.slice(0, at).replace(/^0+/, ''), decimals: padded.slice(at).replace(/0+$/, '') };
}
