import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import lz4 from 'lz4js';
import snappy from 'snappyjs';
import { unpackRecords } from './records/unpack-records.ts';

const toZstd = promisify(zstdCompress);

let registered = false;

/** Teaches kafkajs the codecs that it does not bring: snappy, lz4 and zstd. Safe to repeat. */
export function registerCompressionCodecs(): void {
  if (registered) return;
  registered = true;
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const codec = (type: number, compress: (bytes: Buffer) => Promise<Uint8Array> | Uint8Array) => () => ({
    compress: async ({ buffer }: { readonly buffer: Buffer }) => Buffer.from(await compress(buffer)),
    decompress: async (bytes: Buffer) => unpackRecords(type, bytes),
  });
  CompressionCodecs[CompressionTypes.Snappy] = codec(CompressionTypes.Snappy, snappy.compress);
  CompressionCodecs[CompressionTypes.LZ4] = codec(CompressionTypes.LZ4, (bytes) => lz4.compress(bytes));
  CompressionCodecs[CompressionTypes.ZSTD] = codec(CompressionTypes.ZSTD, (bytes) => toZstd(bytes));
}
