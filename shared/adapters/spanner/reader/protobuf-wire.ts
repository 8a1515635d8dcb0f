import { DecodeError } from './reader-error.ts';

/** Wire types of protobuf. */
export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
const wireFixed32 = 5;

/** Tags of `google.protobuf.Value`. */
export const NULL_VALUE = 0x08;
export const NUMBER_VALUE = 0x11;
export const STRING_VALUE = 0x1a;
export const BOOL_VALUE = 0x20;
export const LIST_VALUE = 0x32;

const MAX_VARINT_BYTES = 10;

/** A place in protobuf bytes; reads move it on and never beyond `end`. */
export interface WireCursor {
  readonly bytes: Buffer;
  at: number;
  end: number;
}

/** Values of a message, each a `google.protobuf.Value`: value `v` is `bytes[froms[v] … tos[v])`. */
export interface WireValues {
  readonly bytes: Buffer;
  readonly froms: Int32Array;
  readonly tos: Int32Array;
}

/** Reads a varint that must be below 2^53: a tag, a length, a flag or an enum. */
export function readVarint(cursor: WireCursor): number {
  let value = 0;
  let factor = 1;
  for (let count = 0; count < MAX_VARINT_BYTES; count += 1) {
    if (cursor.at >= cursor.end) throw new DecodeError('it ends inside a number');
    const byte = cursor.bytes[cursor.at++] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError(`the number ${value} is out of range`);
      return value;
    }
    factor *= 128;
  }
  throw new DecodeError('a number is longer than 10 bytes');
}

/** Reads a length and returns where the field that it opens ends. */
export function readFieldEnd(cursor: WireCursor): number {
  const length = readVarint(cursor);
  const end = cursor.at + length;
  if (end > cursor.end) throw new DecodeError(`a field of ${length} bytes reaches beyond its message`);
  return end;
}

/** Passes over a field that is not needed. */
export function skipField(cursor: WireCursor, wireType: number): void {
  if (wireType === wireVarint) {
    skipVarint(cursor);
    return;
  }
  const fixed = wireType === wireFixed64 ? 8 : wireType === wireFixed32 ? 4 : undefined;
  if (fixed === undefined && wireType !== wireBytes) throw new DecodeError(`wire type ${wireType} is unknown`);
  const to = fixed === undefined ? readFieldEnd(cursor) : cursor.at + fixed;
  if (to > cursor.end) throw new DecodeError('it ends inside a field');
  cursor.at = to;
}

/** Its value may be any of 64 bits: a negative one has ten bytes. */
function skipVarint(cursor: WireCursor): void {
  for (let count = 0; count < MAX_VARINT_BYTES; count += 1) {
    if (cursor.at >= cursor.end) throw new DecodeError('it ends inside a number');
    if ((cursor.bytes[cursor.at++] ?? 0) < 0x80) return;
  }
  throw new DecodeError('a number is longer than 10 bytes');
}

/** Walks over the fields of a message; `visit` returns true when it has read the field. */
export function eachField(cursor: WireCursor, visit: (field: number, wireType: number) => boolean): void {
  while (cursor.at < cursor.end) {
    const tag = readVarint(cursor);
    const field = Math.floor(tag / 8);
    if (field === 0) throw new DecodeError('a field has the number 0');
    if (!visit(field, tag % 8)) skipField(cursor, tag % 8);
  }
}
