import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { resultDecoder } from '../../../shared/adapters/spanner/reader/decoder.ts';
import { batchMetadata, type Manifest } from '../../../shared/model/epochs/manifest.ts';
import { arrowLayout } from '../../../shared/model/tensors/arrow-layout.ts';
import type { ColumnBlock } from '../../../shared/model/tensors/column-vector.ts';
import { batchEncoder } from '../../../shared/model/tensors/encode-batch.ts';
import { batchLayout, type Items } from '../../../shared/model/tensors/safetensors.ts';
import { ownCpuSeconds } from '../process-meter.ts';
import { grpcMessages } from './grpc-frame.ts';

const ROWS = 8_192;
const PASSES = 100;
const TURNS = 5;
/** Turns before those that count: until then the compiler works beside them. */
const WARM_TURNS = 3;

/** The first block of the recorded rows. */
function firstBlock({ plan }: Manifest, frames: Buffer): ColumnBlock {
  const decoder = resultDecoder(plan.columns, ROWS);
  for (const message of grpcMessages(frames)) {
    const [block] = decoder.blocks(message);
    if (block) return block;
  }
  throw new Error(`The recording has fewer than ${ROWS} rows`);
}

/** The tensors of a block, made already, and a call that has apache-arrow write them as an IPC stream, with its CRC-32. */
function arrowOf(block: ColumnBlock, rows: Int32Array, { plan }: Manifest, metadata: Readonly<Record<string, string>>) {
  let tensors: readonly Items[] = [];
  const encoder = batchEncoder(plan.transforms, plan.columns, 0, (specs) => {
    const layout = batchLayout(specs);
    return {
      layOut(rowCount, texts) {
        const body = layout.layOut(rowCount, texts);
        tensors = body.items;
        return body;
      },
    };
  });
  encoder.encode(block, rows, metadata);
  const layout = arrowLayout(encoder.specs);
  return (): number => {
    const body = layout.layOut(rows.length, metadata);
    for (const [at, items] of body.items.entries()) bytesOf(items).set(bytesOf(tensors[at]));
    return crc32(body.seal());
  };
}

function bytesOf(items: Items = new Uint8Array(0)): Uint8Array {
  return new Uint8Array(items.buffer, items.byteOffset, items.byteLength);
}

/**
 * Measures the encoding of 8,192 rows with its CRC-32, and in turn a plain copy of the same bytes with theirs, and apache-arrow's
 * stream of the same tensors. The copy goes into fresh memory, and into memory of an earlier one as the encoder's does.
 */
function measure([manifestPath = '', framesPath = '']: readonly string[]): void {
  const manifest: Manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
  const block = firstBlock(manifest, readFileSync(framesPath));
  const { plan } = manifest;
  const encoder = batchEncoder(plan.transforms, plan.columns);
  const rows = Int32Array.from({ length: ROWS }, (_, row) => row);
  const place = { shard: 0, sequence: 0, role: 'train', rows: ROWS, rowFrom: 0, rowTo: ROWS };
  // Rows of their own for each call: nothing that was gathered for the last one is of use.
  const encode = (room?: ArrayBuffer): Buffer<ArrayBuffer> =>
    encoder.encode(block, rows.subarray(), batchMetadata(manifest, place), room);
  const body = encode();
  const room = encode().buffer;
  const copied = Buffer.allocUnsafeSlow(body.length);
  const copyTo = (to: Buffer): number => {
    body.copy(to);
    return crc32(to);
  };
  const calls = {
    encode: () => encode(room),
    freshEncode: () => encode(),
    yardstick: () => copyTo(Buffer.allocUnsafeSlow(body.length)),
    reusedYardstick: () => copyTo(copied),
    arrow: arrowOf(block, rows, manifest, batchMetadata(manifest, place)),
    digest: () => hash('sha256', body, 'base64'),
  };
  const seconds = { encode: 0, freshEncode: 0, yardstick: 0, reusedYardstick: 0, arrow: 0, digest: 0 };
  for (let turn = -WARM_TURNS; turn < TURNS; turn += 1) {
    for (const name of ['encode', 'freshEncode', 'yardstick', 'reusedYardstick', 'arrow', 'digest'] as const) {
      const spent = cpuOf(calls[name]);
      if (turn >= 0) seconds[name] += spent;
    }
  }
  const ms = (name: keyof typeof seconds): number => (seconds[name] / (TURNS * PASSES)) * 1000;
  const figures = {
    encodeMs: ms('encode'),
    encodeFreshMs: ms('freshEncode'),
    encodeYardstickMs: ms('yardstick'),
    encodeReusedYardstickMs: ms('reusedYardstick'),
    encodeArrowMs: ms('arrow'),
    encodeDigestMs: ms('digest'),
    encodeBytesPerRow: body.length / ROWS,
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

function cpuOf(call: () => unknown): number {
  const from = ownCpuSeconds();
  for (let pass = 0; pass < PASSES; pass += 1) call();
  return ownCpuSeconds() - from;
}

measure(process.argv.slice(2));
