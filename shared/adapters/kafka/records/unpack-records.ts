import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { unpackLz4 } from './lz4-frame.ts';

/** No batch may unpack to more: what a topic allows is a few MiB packed, and its neighbours need the memory too. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

/** The chunked framing that Java clients put around Snappy. Source: org.xerial.snappy.SnappyCodec. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

/**
 * Unpacks the records of a batch.
 *
 * @param codec as in the batch's attributes: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @param maxBytes what it may unpack to
 * @throws {Error} when the codec is unknown, the bytes are malformed, or they unpack to more
 */
export function unpackRecords(codec: number, bytes: Buffer, maxBytes = MAX_UNPACKED_BYTES): Buffer {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return gunzipSync(bytes, { maxOutputLength: maxBytes });
    case 2:
      return unpackSnappy(bytes, maxBytes);
    case 3:
      return unpackLz4(bytes, maxBytes);
    case 4:
      return zstdDecompressSync(bytes, { maxOutputLength: maxBytes });
    default:
      throw new RangeError(`codec ${codec} is unknown`);
  }
}

function unpackSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappy.uncompress(bytes, maxBytes);
  const chunks: Buffer[] = [];
  let left = maxBytes;
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    at += 4;
    if (length > bytes.length - at) throw new RangeError('its snappy chunk is cut short');
    const chunk = snappy.uncompress(bytes.subarray(at, at + length), left);
    left -= chunk.length;
    chunks.push(chunk);
    at += length;
  }
  return Buffer.concat(chunks);
}
