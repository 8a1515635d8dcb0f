import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import lz4 from 'lz4js';
import snappy from 'snappyjs';

const toZstd = promisify(zstdCompress);
const fromZstd = promisify(zstdDecompress);

/** No batch of a broker grows beyond this: one that claims to is refused before its memory is taken. */
const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024;

/** The chunked framing that Java clients put around Snappy. Source: org.xerial.snappy.SnappyCodec. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

let registered = false;

/** Teaches kafkajs the codecs that it does not bring: snappy, lz4 and zstd. Safe to repeat. */
export function registerCompressionCodecs(): void {
  if (registered) return;
  registered = true;
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: async ({ buffer }: { readonly buffer: Buffer }) => snappy.compress(buffer),
    decompress: async (bytes: Buffer) => fromSnappy(bytes),
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async ({ buffer }: { readonly buffer: Buffer }) => Buffer.from(lz4.compress(buffer)),
    decompress: async (bytes: Buffer) => Buffer.from(lz4.decompress(bytes)),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { readonly buffer: Buffer }) => toZstd(buffer),
    decompress: (bytes: Buffer) => fromZstd(bytes, { maxOutputLength: MAX_DECOMPRESSED_BYTES }),
  });
}

function fromSnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    return snappy.uncompress(bytes, MAX_DECOMPRESSED_BYTES);
  }
  const chunks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    at += 4;
    chunks.push(snappy.uncompress(bytes.subarray(at, at + length), MAX_DECOMPRESSED_BYTES));
    at += length;
  }
  return Buffer.concat(chunks);
}
