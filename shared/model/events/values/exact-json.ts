import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../records/poison.ts';
import { type Bytes, DocumentLeaf, type Double, ExactNumber, type Unfit } from './document-leaf.ts';

/** What a record's decoder makes of it: JSON, and the leaves that JSON lacks. Plain numbers are finite. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | ExactNumber
  | Double
  | Bytes
  | Unfit
  | readonly JsonValue[]
  | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/**
 * Up to 15 significant digits survive the way through a double and back, so only longer runs of digits, and exponents,
 * need the slower reading. A match inside of a string costs time, never correctness.
 */
const PERHAPS_INEXACT = /[\d.]{16}|\d[eE][-+\d]/;

/**
 * Parses JSON without losing a digit: a number that a double may not hold comes as an `ExactNumber`.
 *
 * @throws {PoisonError} class `undecodable` for invalid UTF-8 and for text that is not JSON
 */
export function parseExactJson(bytes: Buffer): JsonValue {
  return parseExactJsonText(utf8Text(bytes));
}

/** @throws {PoisonError} class `undecodable` for bytes that are not valid UTF-8 */
export function utf8Text(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new PoisonError('undecodable', 'The value is not valid UTF-8');
  return bytes.toString('utf8');
}

/** True for text that `parseExactJsonText` may read otherwise than `JSON.parse`. */
export function mayBeInexact(text: string): boolean {
  return PERHAPS_INEXACT.test(text);
}

/** `parseExactJson` of text that was already decoded. */
export function parseExactJsonText(text: string): JsonValue {
  try {
    const value: JsonValue = PERHAPS_INEXACT.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
    return value;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The message shows a piece of the text, which may end in half a character.
    throw new PoisonError('undecodable', `The value is not JSON: ${message.toWellFormed()}`);
  }
}

function keepDigits(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined) return value;
  return PERHAPS_INEXACT.test(source) ? new ExactNumber(source) : value;
}

/** True for an object, false for arrays, null and scalars. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof DocumentLeaf);
}

/** What a JSON value is, in the words of a reason. */
export function describeJson(value: JsonValue): string {
  if (value === null) return 'null';
  if (value instanceof DocumentLeaf) return value.describe();
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return `${value}`;
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 80).toWellFormed())}`;
  return Array.isArray(value) ? 'an array' : 'an object';
}
