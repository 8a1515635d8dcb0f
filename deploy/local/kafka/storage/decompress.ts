import { createRequire } from 'node:module';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

/** What one batch may become: records are read here only to find a time, never to be served. */
const MAX_BYTES = 128 * 1024 * 1024;
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

const require = createRequire(import.meta.url);
const snappy: { uncompress(bytes: Uint8Array, maxBytes: number): Uint8Array } = require('snappyjs');
const lz4: { decompress(bytes: Uint8Array, maxBytes: number): Uint8Array } = require('lz4js');

/**
 * Undoes a batch's compression.
 *
 * @param codec 0 none, 1 gzip, 2 snappy (plain or in Java's framing), 3 LZ4 frame, 4 Zstandard
 * @throws {Error} the bytes are not what the codec says, or would be more than 128 MiB
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
    case 2:
      return unsnap(bytes);
    case 3:
      return Buffer.from(lz4.decompress(bytes, MAX_BYTES));
    case 4:
      return zstdDecompressSync(bytes, { maxOutputLength: MAX_BYTES });
    default:
      throw new RangeError(`Compression ${codec} is not one of 0 to 4`);
  }
}

function unsnap(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return Buffer.from(snappy.uncompress(bytes, MAX_BYTES));
  }
  const pieces: Uint8Array[] = [];
  let left = MAX_BYTES;
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const piece = snappy.uncompress(bytes.subarray(at + 4, at + 4 + length), left);
    left -= piece.length;
    pieces.push(piece);
    at += 4 + length;
  }
  return Buffer.concat(pieces);
}
