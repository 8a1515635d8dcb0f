import { isLosslessNumber, parse } from 'lossless-json';

const MAX_DEPTH = 100;
const INTEGER_PATTERN = /^-?\d+$/;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 64n - 1n;

/** The text of a JSON value as Spanner keeps it: no white space, members sorted by name, whole numbers exact; undefined if it is not JSON. */
export function canonicalJson(text: string): string | undefined {
  try {
    return print(parse(text), 0);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function print(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new RangeError(`JSON is nested deeper than ${MAX_DEPTH}`);
  if (isLosslessNumber(value)) return printNumber(value.value);
  if (Array.isArray(value)) return `[${value.map((element) => print(element, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${print(member, depth + 1)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

function printNumber(text: string): string {
  if (INTEGER_PATTERN.test(text)) {
    const whole = BigInt(text);
    if (whole >= MIN_INTEGER && whole <= MAX_INTEGER) return text;
  }
  const number = Number(text);
  if (!Number.isFinite(number)) throw new RangeError(`${text} is not a finite number`);
  return JSON.stringify(number);
}
