import { crc32 } from 'node:zlib';
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
  /** In the order of the specs. */
  readonly items: readonly Items[];
  /** Gives the body; to be called once, when all is filled. */
  seal(): Buffer<ArrayBuffer>;
}

/** Lays out bodies of the same tensors. */
export interface BatchLayout {
  /**
   * @param rowCount rows of each tensor
   * @param metadata becomes `__metadata__`, beside `crc32`
   * @param room is used for the body where it is large enough, whatever it held before
   */
  layOut(rowCount: number, metadata: Readonly<Record<string, string>>, room?: ArrayBuffer | undefined): BatchBody;
}

const HEAD = '{"__metadata__":{"crc32":"';
const NO_CRC = '00000000';

/**
 * Prepares the layout of safetensors bodies, `[u64 header length][JSON header][data]`, each in one buffer.
 *
 * The header is padded with spaces so that the data starts at a multiple of 64 bytes. Tensors follow each other by falling
 * item size and without holes, which stock readers refuse: each is aligned to its items, and to 64 bytes wherever the
 * rows are a multiple of 64. `__metadata__.crc32` is the CRC-32 of the data in eight hexadecimal digits, so that a body can
 * be checked wherever it lies; it stands first, at a place that is known before the tensors are.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
export function batchLayout(specs: readonly TensorSpec[]): BatchLayout {
  const ordered = specs.toSorted((left, right) => itemBytes[right.dtype] - itemBytes[left.dtype]);
  const placeOf = (rowCount: number): { readonly fromBySpec: Map<TensorSpec, number>; readonly json: string } => {
    const fromBySpec = new Map<TensorSpec, number>();
    let json = '';
    let dataBytes = 0;
    for (const spec of ordered) {
      const to = dataBytes + itemCount(spec, rowCount) * itemBytes[spec.dtype];
      const entry = { dtype: spec.dtype, shape: [rowCount, ...spec.shape], data_offsets: [dataBytes, to] };
      json += `,${JSON.stringify(spec.name)}:${JSON.stringify(entry)}`;
      fromBySpec.set(spec, dataBytes);
      dataBytes = to;
    }
    return { fromBySpec, json };
  };
  const bytesPerRow = rowBytes(specs);
  // Nearly all batches have the same number of rows.
  let known = { rowCount: 0, ...placeOf(0) };
  const headerOf = (rowCount: number, metadata: Readonly<Record<string, string>>): Buffer => {
    if (known.rowCount !== rowCount) known = { rowCount, ...placeOf(rowCount) };
    const given = JSON.stringify(metadata).slice(1, -1);
    return Buffer.from(`${HEAD}${NO_CRC}"${given === '' ? '' : `,${given}`}}${known.json}}`);
  };
  return {
    layOut(rowCount, metadata, room) {
      const json = headerOf(rowCount, metadata);
      const dataFrom = dataStart(json.length);
      const length = dataFrom + rowCount * bytesPerRow;
      const bytes = zeroed(length, room);
      bytes.writeBigUInt64LE(BigInt(dataFrom - LENGTH_BYTES), 0);
      json.copy(bytes, LENGTH_BYTES);
      bytes.fill(' ', LENGTH_BYTES + json.length, dataFrom);
      const items = specs.map((spec) =>
        viewItems(spec.dtype, bytes.buffer, dataFrom + (known.fromBySpec.get(spec) ?? 0), itemCount(spec, rowCount)),
      );
      const seal = (): Buffer<ArrayBuffer> => {
        const crc = crc32(bytes.subarray(dataFrom)).toString(16).padStart(NO_CRC.length, '0');
        bytes.write(crc, LENGTH_BYTES + HEAD.length, 'latin1');
        return bytes;
      };
      return { items, seal };
    },
  };
}

function dataStart(jsonBytes: number): number {
  return Math.ceil((LENGTH_BYTES + jsonBytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** Not from Node's pool: the views of a body need an aligned start. */
function zeroed(length: number, room: ArrayBuffer | undefined): Buffer<ArrayBuffer> {
  if (room === undefined || room.byteLength < length) return Buffer.from(new ArrayBuffer(length));
  return Buffer.from(room, 0, length).fill(0);
}

/** Bytes of one row over all tensors. */
export function rowBytes(specs: readonly TensorSpec[]): number {
  return specs.reduce((sum, spec) => sum + itemCount(spec, 1) * itemBytes[spec.dtype], 0);
}

/** Items of a tensor in so many rows. */
export function itemCount(spec: TensorSpec, rowCount: number): number {
  return rowCount * (spec.shape[0] ?? 1);
}

/** @throws {PenstockError} on a machine whose typed arrays are not little-endian */
export function viewItems(dtype: Dtype, buffer: ArrayBufferLike, from: number, count: number): Items {
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
