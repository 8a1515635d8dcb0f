import {
  Bool,
  type Data,
  type DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Uint8,
} from 'apache-arrow';
import type { Dtype, TensorSpec } from './fitted.ts';
import { type BatchLayout, type Items, itemCount, rowBytes, viewItems } from './safetensors.ts';

/**
 * Prepares the layout of Arrow IPC streams: a schema, one record batch, the end.
 *
 * A tensor `[rows]` is a column of its number type, `BOOL` of packed bits; `[rows, n]` is a FixedSizeList of n. No column
 * has NULLs. The metadata are those of the schema.
 *
 * @see https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
 */
export function arrowLayout(specs: readonly TensorSpec[]): BatchLayout {
  const fields = specs.map((spec) => new Field(spec.name, columnType(spec), false));
  const bytesPerRow = rowBytes(specs);
  return {
    layOut(rowCount, metadata, room) {
      const needed = rowCount * bytesPerRow + specs.length * ALIGNMENT_BYTES;
      const memory = room !== undefined && room.byteLength >= needed ? cleared(room) : new ArrayBuffer(needed);
      let from = 0;
      const items = specs.map((spec) => {
        const view = viewItems(spec.dtype, memory, from, itemCount(spec, rowCount));
        from = Math.ceil((from + view.byteLength) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
        return view;
      });
      const seal = (): Buffer<ArrayBuffer> => {
        const children = specs.map((spec, at) => columnData(spec, rowCount, items[at] ?? new Uint8Array(0)));
        const schema = new Schema(fields, new Map(Object.entries(metadata)));
        const rows = makeData({ type: new Struct(fields), length: rowCount, nullCount: 0, children });
        const stream = RecordBatchStreamWriter.writeAll([new RecordBatch(schema, rows)]).toUint8Array(true);
        return asBuffer(stream);
      };
      return { items, seal };
    },
  };
}

const ALIGNMENT_BYTES = 64;

/** Without a copy wherever the memory is no one else's. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer<ArrayBuffer> {
  if (buffer instanceof ArrayBuffer) return Buffer.from(buffer, byteOffset, byteLength);
  return Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));
}

function cleared(room: ArrayBuffer): ArrayBuffer {
  new Uint8Array(room).fill(0);
  return room;
}

function columnType({ dtype, shape }: TensorSpec): DataType {
  const type = itemType(dtype);
  const [width] = shape;
  return width === undefined ? type : new FixedSizeList(width, new Field('item', type, false));
}

function itemType(dtype: Dtype): DataType {
  switch (dtype) {
    case 'F64':
      return new Float64();
    case 'F32':
      return new Float32();
    case 'I64':
      return new Int64();
    case 'I32':
      return new Int32();
    case 'U8':
      return new Uint8();
    case 'BOOL':
      return new Bool();
  }
}

function columnData(spec: TensorSpec, rowCount: number, items: Items): Data {
  const child = itemsData(spec.dtype, items);
  const [width] = spec.shape;
  if (width === undefined) return child;
  const type = new FixedSizeList(width, new Field('item', child.type, false));
  return makeData({ type, length: rowCount, nullCount: 0, child });
}

/** Of the memory that holds the items, without a copy; bits are packed. */
function itemsData(dtype: Dtype, items: Items): Data {
  const known = { length: items.length, nullCount: 0 };
  if (items instanceof Float64Array) return makeData({ type: new Float64(), ...known, data: items });
  if (items instanceof Float32Array) return makeData({ type: new Float32(), ...known, data: items });
  if (items instanceof BigInt64Array) return makeData({ type: new Int64(), ...known, data: items });
  if (items instanceof Int32Array) return makeData({ type: new Int32(), ...known, data: items });
  if (dtype === 'BOOL') return makeData({ type: new Bool(), ...known, data: packed(items) });
  return makeData({ type: new Uint8(), ...known, data: items });
}

/** Bits of a byte are filled from the lowest. */
function packed(items: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(items.length / 8));
  for (let at = 0; at < items.length; at += 1) {
    if (items[at] === 1) bits[at >> 3] = (bits[at >> 3] ?? 0) | (1 << (at & 7));
  }
  return bits;
}
