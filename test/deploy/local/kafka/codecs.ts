import { createRequire } from 'node:module';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import kafkajs from 'kafkajs';

const { CompressionCodecs, CompressionTypes } = kafkajs;
const require = createRequire(import.meta.url);
const snappy: {
  compress(bytes: Uint8Array): Uint8Array;
  uncompress(bytes: Uint8Array): Uint8Array;
} = require('snappyjs');
const lz4: { compress(bytes: Uint8Array): Uint8Array; decompress(bytes: Uint8Array): Uint8Array } = require('lz4js');

/** Every compression that kafkajs can be given, by name. */
export const codecNames = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** Gives kafkajs the codecs that it has no code for. */
export function registerCodecs(): void {
  const codec = (compress: (bytes: Buffer) => Uint8Array, decompress: (bytes: Buffer) => Uint8Array) => () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => Buffer.from(compress(buffer)),
    decompress: async (buffer: Buffer) => Buffer.from(decompress(buffer)),
  });
  CompressionCodecs[CompressionTypes.Snappy] = codec(snappy.compress, snappy.uncompress);
  CompressionCodecs[CompressionTypes.LZ4] = codec(lz4.compress, lz4.decompress);
  CompressionCodecs[CompressionTypes.ZSTD] = codec(zstdCompressSync, zstdDecompressSync);
}
