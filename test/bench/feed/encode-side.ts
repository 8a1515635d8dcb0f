import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { resultDecoder } from '../../../shared/adapters/spanner/reader/decoder.ts';
import { batchMetadata, type Manifest } from '../../../shared/model/epochs/manifest.ts';
import type { ColumnBlock } from '../../../shared/model/tensors/column-vector.ts';
import { batchEncoder } from '../../../shared/model/tensors/encode-batch.ts';
import { ownCpuSeconds } from '../process-meter.ts';
import { grpcMessages } from './grpc-frame.ts';

const ROWS = 8_192;
const PASSES = 60;
const TURNS = 4;

/** The first block of the recorded rows. */
function firstBlock({ plan }: Manifest, frames: Buffer): ColumnBlock {
  const decoder = resultDecoder(plan.columns, ROWS);
  for (const message of grpcMessages(frames)) {
    const [block] = decoder.push(message);
    if (block) return block;
  }
  throw new Error(`The recording has fewer than ${ROWS} rows`);
}

/** Measures the encoding of 8,192 rows with its digest, and in turn a plain copy of the same bytes with their CRC-32. */
function measure([manifestPath = '', framesPath = '']: readonly string[]): void {
  const manifest: Manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
  const block = firstBlock(manifest, readFileSync(framesPath));
  const { plan } = manifest;
  const encoder = batchEncoder(plan.transforms, plan.columns);
  const rows = Int32Array.from({ length: ROWS }, (_, row) => row);
  const place = { shard: 0, sequence: 0, role: 'train', rows: ROWS, rowFrom: 0, rowTo: ROWS };
  const encode = (): Buffer => {
    const body = encoder.encode(block, rows, batchMetadata(manifest, place));
    createHash('sha256').update(body).digest('base64');
    return body;
  };
  const body = encode();
  const copy = (): number => {
    const copied = Buffer.allocUnsafeSlow(body.length);
    body.copy(copied);
    return crc32(copied);
  };
  const digest = (): string => createHash('sha256').update(body).digest('base64');
  const seconds = { encode: 0, copy: 0, digest: 0 };
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const spent = { encode: cpuOf(encode), copy: cpuOf(copy), digest: cpuOf(digest) };
    if (turn === 0) continue;
    seconds.encode += spent.encode;
    seconds.copy += spent.copy;
    seconds.digest += spent.digest;
  }
  const calls = TURNS * PASSES;
  const figures = {
    encodeMs: (seconds.encode / calls) * 1000,
    encodeDigestMs: (seconds.digest / calls) * 1000,
    encodeYardstickMs: (seconds.copy / calls) * 1000,
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
