import { varintBytes } from '../../model/events/row-bytes.ts';

/** One field of a protobuf message, tag included; undefined is left out. */
export type WireField = Buffer | undefined;

const VARINT = 0;
const BYTES = 2;
/** A field's tag and its length, or its varint: two numbers below 2^53. */
const MAX_HEAD_BYTES = 2 * 8;

/** Puts a message together from its fields. For small messages: rows are copied by `encodeCommit`. */
export function wireMessage(...fields: readonly WireField[]): Buffer {
  return Buffer.concat(fields.filter((field) => field !== undefined));
}

/** A field of bytes or of a message; absent when undefined, present when empty. */
export function bytesField(field: number, content: Uint8Array | undefined): WireField {
  if (content === undefined) return undefined;
  const bytes = Buffer.allocUnsafe(varintBytes(field * 8) + varintBytes(content.length) + content.length);
  const at = writeHead(bytes, 0, field, content.length);
  bytes.set(content, at);
  return bytes;
}

/** A field of text, which is UTF-8 on the wire; absent when undefined or empty. */
export function textField(field: number, text: string | undefined): WireField {
  return text === undefined || text === '' ? undefined : bytesField(field, Buffer.from(text));
}

/** A whole number from 0 to 2^53 or a flag; absent when undefined, 0 or false, as protobuf has it. */
export function numberField(field: number, value: number | boolean | undefined): WireField {
  if (value === undefined || Number(value) === 0) return undefined;
  const bytes = Buffer.allocUnsafe(MAX_HEAD_BYTES);
  const at = writeVarint(bytes, writeVarint(bytes, 0, field * 8 + VARINT), Number(value));
  return bytes.subarray(0, at);
}

/** Writes the tag and the length of a field of bytes; @returns where its content goes */
export function writeHead(bytes: Buffer, at: number, field: number, length: number): number {
  return writeVarint(bytes, writeVarint(bytes, at, field * 8 + BYTES), length);
}

/** Bytes of a field of `length` bytes, its tag (of a field below 16) and length included. */
export function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let rest = value;
  let at = from;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}
