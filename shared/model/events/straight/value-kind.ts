/**
 * What a value of a record is, whatever its format; small numbers, since they are looked up in tables.
 *
 * `MISSING` is what a record does not have.
 */
export const MISSING = 0;
export const NULL = 1;
export const TRUE = 2;
export const FALSE = 3;
/** Digits alone, perhaps with a minus. */
export const INTEGER = 4;
/** With a point or an exponent. */
export const DECIMAL = 5;
/** Its bytes are its text. */
export const STRING = 6;
/** What the reference reads whole: with escapes, nested, or uncommon. */
export const OTHER = 7;
/** From here on the value is a binary number: a whole one. */
export const LONG = 8;
export const DOUBLE = 9;
/** Days since 1970. */
export const DAY = 10;
/** Milliseconds and microseconds since 1970. */
export const MILLIS = 11;
export const MICROS = 12;
export const KIND_COUNT = 13;
