import { eachField, readFieldEnd, readVarint, type WireCursor, wireBytes } from './protobuf-wire.ts';
import { DecodeError } from './reader-error.ts';

/** A value that came in pieces; rare and large, so that it may cost objects. A text is its bytes, for a cut may fall anywhere. */
export type Piece = null | boolean | number | Buffer | readonly Piece[];

const MAX_DEPTH = 4;

/** Reads one `google.protobuf.Value`. */
export function readPiece(cursor: WireCursor, depth = 0): Piece {
  if (depth > MAX_DEPTH) throw new DecodeError(`lists lie more than ${MAX_DEPTH} deep`);
  const tag = readVarint(cursor);
  switch (tag) {
    case 0x08:
      readVarint(cursor);
      return null;
    case 0x11:
      if (cursor.at + 8 > cursor.end) throw new DecodeError('it ends inside a number');
      cursor.at += 8;
      return cursor.bytes.readDoubleLE(cursor.at - 8);
    case 0x1a: {
      const end = readFieldEnd(cursor);
      const text = Buffer.from(cursor.bytes.subarray(cursor.at, end));
      cursor.at = end;
      return text;
    }
    case 0x20:
      return readVarint(cursor) !== 0;
    case 0x32: {
      const end = readFieldEnd(cursor);
      const list = readList({ bytes: cursor.bytes, at: cursor.at, end }, depth);
      cursor.at = end;
      return list;
    }
    default:
      throw new DecodeError('a piece of a value is of an unknown kind');
  }
}

function readList(cursor: WireCursor, depth: number): Piece[] {
  const items: Piece[] = [];
  eachField(cursor, (field, wireType) => {
    // A list has nothing but values: anything else is a damaged one, and passing over it would lose an item.
    if (field !== 1 || wireType !== wireBytes) throw new DecodeError('a list has a field that is no value');
    const end = readFieldEnd(cursor);
    const inner: WireCursor = { bytes: cursor.bytes, at: cursor.at, end };
    items.push(readPiece(inner, depth + 1));
    if (inner.at !== end) throw new DecodeError('an item of a list has bytes behind it');
    cursor.at = end;
    return true;
  });
  return items;
}

/**
 * Joins two pieces by type, as `PartialResultSet.chunked_value` says: texts are appended; lists are appended, and where
 * one ends and the other begins with texts (or lists) those two are joined as well.
 *
 * @throws {DecodeError} for pieces that cannot be cut
 */
export function joinPieces(left: Piece, right: Piece): Piece {
  if (Buffer.isBuffer(left) && Buffer.isBuffer(right)) return Buffer.concat([left, right]);
  if (!Array.isArray(left) || !Array.isArray(right)) throw new DecodeError('a value goes on with another kind');
  const last: Piece | undefined = left.at(-1);
  const first: Piece | undefined = right[0];
  if (last === undefined || first === undefined) return [...left, ...right];
  const isCut = (Buffer.isBuffer(last) && Buffer.isBuffer(first)) || (Array.isArray(last) && Array.isArray(first));
  return isCut ? [...left.slice(0, -1), joinPieces(last, first), ...right.slice(1)] : [...left, ...right];
}

/** Writes a piece as `google.protobuf.Value`, so that a joined value takes the way of every other. */
export function writePiece(piece: Piece): Buffer {
  if (piece === null) return Buffer.from([0x08, 0]);
  if (typeof piece === 'boolean') return Buffer.from([0x20, piece ? 1 : 0]);
  if (typeof piece === 'number') {
    const bytes = Buffer.alloc(9, 0x11);
    bytes.writeDoubleLE(piece, 1);
    return bytes;
  }
  if (Buffer.isBuffer(piece)) return field(0x1a, piece);
  if (!Array.isArray(piece)) throw new DecodeError('a piece of a value is of an unknown kind');
  return field(0x32, Buffer.concat(piece.map((item: Piece) => field(0x0a, writePiece(item)))));
}

function field(tag: number, content: Buffer): Buffer {
  const head = [tag];
  let rest = content.length;
  while (rest >= 0x80) {
    head.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  head.push(rest);
  return Buffer.concat([Buffer.from(head), content]);
}
