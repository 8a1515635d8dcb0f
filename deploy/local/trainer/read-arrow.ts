import { type Data, DataType, type Field, RecordBatchReader } from 'apache-arrow';
import type { Dtype, Safetensors, Tensor } from './safetensors.ts';

/** The bytes are not an Arrow stream that the trainer takes. */
export class ArrowError extends Error {
  override readonly name = 'ArrowError';
}

/** What every message of a stream begins with; no safetensors header is so long. */
const CONTINUATION = 0xffffffff;

export function isArrow(body: Uint8Array): boolean {
  return body.length >= 4 && new DataView(body.buffer, body.byteOffset).getUint32(0, true) === CONTINUATION;
}

/**
 * Reads an Arrow IPC stream with one record batch as what a safetensors body of the same tensors would give.
 *
 * Columns are numbers, bits, or FixedSizeLists of them, without NULLs, dictionaries and extension types.
 *
 * @throws {ArrowError} saying what is wrong and where
 * @see https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
 */
export function readArrow(body: Uint8Array): Safetensors {
  const { schema, batches } = readStream(body);
  const [batch] = batches;
  if (batch === undefined || batches.length > 1) {
    throw new ArrowError(`A batch is a stream with one record batch; it has ${batches.length}`);
  }
  const tensors = new Map<string, Tensor>();
  for (const [at, field] of schema.fields.entries()) {
    const column = batch.data.children[at];
    if (column === undefined) throw new ArrowError(`Column ${field.name} has no data`);
    if (tensors.has(field.name)) throw new ArrowError(`Column ${field.name} is there twice`);
    tensors.set(field.name, readColumn(field, column, batch.numRows));
  }
  return { metadata: schema.metadata, tensors };
}

function readStream(body: Uint8Array) {
  try {
    const reader = RecordBatchReader.from(body).open();
    // Not after the last batch: the reader is closed then, and has none any more.
    const { schema } = reader;
    return { schema, batches: [...reader] };
  } catch (cause) {
    throw new ArrowError(`The body is no Arrow stream: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function readColumn({ name, type }: Field, column: Data, rows: number): Tensor {
  if (!DataType.isFixedSizeList(type)) return { ...readItems(name, column, rows), shape: [rows] };
  const [items] = column.children;
  if (items === undefined || column.nullCount > 0) throw new ArrowError(`Column ${name} has lists that are NULL`);
  return { ...readItems(name, items, rows * type.listSize), shape: [rows, type.listSize] };
}

function readItems(name: string, { type, nullCount, values, offset, length }: Data, count: number) {
  const dtype = dtypeOf(type);
  if (dtype === undefined) throw new ArrowError(`Column ${name} is ${type}; taken are numbers, bits and lists of them`);
  if (nullCount > 0) throw new ArrowError(`Column ${name} has ${nullCount} NULLs`);
  const items: unknown = values;
  if (!ArrayBuffer.isView(items)) throw new ArrowError(`Column ${name} has no values`);
  const bytes = new Uint8Array(items.buffer, items.byteOffset, items.byteLength);
  const whole = dtype === 'BOOL' ? unpacked(bytes, offset, count) : bytes.subarray(0, count * bytesOf(dtype));
  if (length < count || whole.length < count * bytesOf(dtype)) {
    throw new ArrowError(`Column ${name} has ${length} items; its rows need ${count}`);
  }
  return { dtype, bytes: whole };
}

function dtypeOf(type: DataType): Dtype | undefined {
  if (DataType.isBool(type)) return 'BOOL';
  if (DataType.isFloat(type)) return ({ 1: 'F32', 2: 'F64' } as const)[Number(type.precision)];
  if (!DataType.isInt(type)) return undefined;
  if (!type.isSigned) return type.bitWidth === 8 ? 'U8' : undefined;
  return ({ 32: 'I32', 64: 'I64' } as const)[Number(type.bitWidth)];
}

function bytesOf(dtype: Dtype): number {
  return { F64: 8, I64: 8, F32: 4, I32: 4, U8: 1, BOOL: 1 }[dtype];
}

/** Bits to bytes of 0 and 1; fewer than wanted where the bits end. */
function unpacked(bits: Uint8Array, offset: number, count: number): Uint8Array {
  const held = Math.min(count, bits.length * 8 - offset);
  const items = new Uint8Array(Math.max(0, held));
  for (let at = 0; at < items.length; at += 1) {
    const bit = at + offset;
    items[at] = ((bits[bit >> 3] ?? 0) >> (bit & 7)) & 1;
  }
  return items;
}
