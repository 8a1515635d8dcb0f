import { PenstockError } from '../../base/errors.ts';
import type { Dtype, TensorSpec } from './fitted.ts';

/** Typed arrays have the machine's byte order. */
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const LENGTH_BYTES = 8;
const ALIGNMENT_BYTES = 64;

const itemBytes: Readonly<Record<Dtype, number>> = { F64: 8, I64: 8, F32: 4, I32: 4, U8: 1, BOOL: 1 };

/** The items of one tensor inside a batch's body. */
export type Items = Float64Array | Float32Array | BigInt64Array | Int32Array | Uint8Array;

/** A body whose tensors are there and zero, to be filled in place. */
export interface BatchBody {
  readonly bytes: Buffer;
  /** In the order of the specs. */
  readonly items: readonly Items[];
}

/**
 * Lays out a safetensors body, `[u64 header length][JSON header][data]`, in one buffer.
 *
 * The header is padded with spaces so that the data starts at a multiple of 64 bytes. Tensors follow each other by falling
 * item size and without holes, which stock readers refuse: each is aligned to its items, and to 64 bytes wherever the
 * rows are a multiple of 64.
 *
 * @param rowCount rows of each tensor
 * @param metadata becomes `__metadata__`
 * @see https://github.com/huggingface/safetensors#format
 */
export function layOutSafetensors(
  specs: readonly TensorSpec[],
  rowCount: number,
  metadata: Readonly<Record<string, string>>,
): BatchBody {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const fromBySpec = new Map<TensorSpec, number>();
  let dataBytes = 0;
  for (const spec of specs.toSorted((left, right) => itemBytes[right.dtype] - itemBytes[left.dtype])) {
    const to = dataBytes + itemCount(spec, rowCount) * itemBytes[spec.dtype];
    header[spec.name] = { dtype: spec.dtype, shape: [rowCount, ...spec.shape], data_offsets: [dataBytes, to] };
    fromBySpec.set(spec, dataBytes);
    dataBytes = to;
  }
  const json = Buffer.from(JSON.stringify(header));
  const dataFrom = Math.ceil((LENGTH_BYTES + json.length) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  // Not from the pool: the views below need an aligned start.
  const bytes = Buffer.from(new ArrayBuffer(dataFrom + dataBytes));
  bytes.writeBigUInt64LE(BigInt(dataFrom - LENGTH_BYTES), 0);
  json.copy(bytes, LENGTH_BYTES);
  bytes.fill(' ', LENGTH_BYTES + json.length, dataFrom);
  const items = specs.map((spec) =>
    view(spec.dtype, bytes.buffer, dataFrom + (fromBySpec.get(spec) ?? 0), itemCount(spec, rowCount)),
  );
  return { bytes, items };
}

/** Bytes of one row over all tensors. */
export function rowBytes(specs: readonly TensorSpec[]): number {
  return specs.reduce((sum, spec) => sum + itemCount(spec, 1) * itemBytes[spec.dtype], 0);
}

function itemCount(spec: TensorSpec, rowCount: number): number {
  return rowCount * (spec.shape[0] ?? 1);
}

function view(dtype: Dtype, buffer: ArrayBufferLike, from: number, count: number): Items {
  if (!isLittleEndian) {
    throw new PenstockError('Tensors are little-endian and this machine is not', {
      code: 'BIG_ENDIAN',
      remedy: 'Run on x64 or arm64',
      retryable: false,
    });
  }
  switch (dtype) {
    case 'F64':
      return new Float64Array(buffer, from, count);
    case 'F32':
      return new Float32Array(buffer, from, count);
    case 'I64':
      return new BigInt64Array(buffer, from, count);
    case 'I32':
      return new Int32Array(buffer, from, count);
    case 'U8':
    case 'BOOL':
      return new Uint8Array(buffer, from, count);
  }
}
