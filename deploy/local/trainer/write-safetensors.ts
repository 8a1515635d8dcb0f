import type { Tensor } from './safetensors.ts';

const LENGTH_BYTES = 8;
const ALIGNMENT_BYTES = 64;

/** Writes a safetensors body whose data starts at a multiple of 64 bytes; tensors follow each other without gaps. */
export function writeSafetensors(
  metadata: Readonly<Record<string, string>>,
  tensors: ReadonlyMap<string, Tensor>,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let at = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const dataFrom = Math.ceil((LENGTH_BYTES + json.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const head = Buffer.alloc(dataFrom, ' ');
  head.writeBigUInt64LE(BigInt(dataFrom - LENGTH_BYTES));
  head.set(json, LENGTH_BYTES);
  return Buffer.concat([head, ...[...tensors.values()].map(({ bytes }) => bytes)]);
}
