/** One part of a primary key as Spanner writes it on the wire: INT64, TIMESTAMP, NUMERIC and BYTES (base64) are texts. */
export type KeyPart = null | boolean | number | string;

/** A whole primary key, one part for each key column. */
export type Key = readonly KeyPart[];

/** Types that a primary key can have. */
export type KeyCode =
  | 'BOOL'
  | 'INT64'
  | 'FLOAT32'
  | 'FLOAT64'
  | 'NUMERIC'
  | 'STRING'
  | 'BYTES'
  | 'DATE'
  | 'TIMESTAMP'
  | 'UUID';

export interface KeyColumn {
  readonly name: string;
  readonly code: KeyCode;
  readonly descending: boolean;
}

/**
 * Compares two keys in the order in which Spanner keeps the rows of their table.
 *
 * NULL comes first, and last in a descending column; NaN comes before every other number; strings compare by code point.
 *
 * @returns negative, 0 or positive
 * @throws {TypeError} when a part is not of its column's type
 */
export function compareKeys(columns: readonly KeyColumn[], left: Key, right: Key): number {
  if (left.length !== columns.length || right.length !== columns.length) {
    throw new TypeError(`Keys of ${left.length} and ${right.length} parts, where the table's has ${columns.length}`);
  }
  for (const [index, column] of columns.entries()) {
    const order = compareParts(column, left[index] ?? null, right[index] ?? null);
    if (order !== 0) return column.descending ? -order : order;
  }
  return 0;
}

function compareParts({ name, code }: KeyColumn, left: KeyPart, right: KeyPart): number {
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  switch (code) {
    case 'BOOL':
      return Number(left) - Number(right);
    case 'FLOAT32':
    case 'FLOAT64':
      return compareFloats(Number(left), Number(right));
    case 'INT64':
      return compareBigInts(BigInt(text(name, left)), BigInt(text(name, right)));
    case 'NUMERIC':
      return compareBigInts(scaledDecimal(text(name, left)), scaledDecimal(text(name, right)));
    case 'TIMESTAMP':
      return compareTimestamps(text(name, left), text(name, right));
    case 'BYTES':
      return Buffer.compare(Buffer.from(text(name, left), 'base64'), Buffer.from(text(name, right), 'base64'));
    case 'STRING':
      return Buffer.compare(Buffer.from(text(name, left)), Buffer.from(text(name, right)));
    case 'DATE':
    case 'UUID':
      return compareTexts(text(name, left), text(name, right));
  }
}

function text(name: string, part: KeyPart): string {
  if (typeof part !== 'string') throw new TypeError(`Key column ${name} holds ${JSON.stringify(part)}, not a text`);
  return part;
}

function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function compareBigInts(left: bigint, right: bigint): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** `Infinity`, `-Infinity` and `NaN` travel as texts, which Number reads. */
function compareFloats(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(!Number.isNaN(left)) - Number(!Number.isNaN(right));
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The seconds have a fixed width, the fraction has not. */
function compareTimestamps(left: string, right: string): number {
  return compareTexts(left.slice(0, 19), right.slice(0, 19)) || compareTexts(fraction(left), fraction(right));
}

function fraction(timestamp: string): string {
  return timestamp.slice(20, -1).padEnd(9, '0');
}

/** NUMERIC has nine digits after the point. */
function scaledDecimal(decimal: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(decimal);
  if (!match) throw new TypeError(`${JSON.stringify(decimal)} is no NUMERIC`);
  const magnitude = BigInt(`${match[2]}${(match[3] ?? '').padEnd(9, '0')}`);
  return match[1] === '-' ? -magnitude : magnitude;
}
