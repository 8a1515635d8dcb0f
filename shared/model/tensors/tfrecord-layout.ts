import { crc32c } from '../../base/crc32c.ts';
import type { TensorSpec } from './fitted.ts';
import { type BatchLayout, type Items, itemCount, viewItems } from './safetensors.ts';

/** A record's frame: u64 length, u32 CRC of it, data, u32 CRC of the data. */
const HEAD_BYTES = 12;
const FOOT_BYTES = 4;
const MAX_VARINT_BYTES = 10;
/** Tags of lengths: `Example.features`, `Features.feature`, `key`, `value`, and the one field of each list. */
const TAG_1 = 0x0a;
const TAG_2 = 0x12;
/** Fields of `Feature`. */
const BYTES_LIST = 0x0a;
const FLOAT_LIST = 0x12;
const INT64_LIST = 0x1a;

/**
 * Prepares the layout of TFRecord files: a `tf.train.Example` for each row, a feature for each tensor.
 *
 * F32 is a FloatList of the row's values; I64, I32, U8 and BOOL an Int64List. An Example has no float64 and no bytes that are
 * numbers: F64, and U8 with a width, are a BytesList of one value, the row's items as they lie in memory, little-endian, for
 * `tf.io.decode_raw`. Metadata have no place in the format.
 *
 * @see https://www.tensorflow.org/tutorials/load_data/tfrecord
 */
export function tfrecordLayout(specs: readonly TensorSpec[]): BatchLayout {
  const features = specs.map(featureOf);
  const maxRowBytes = features.reduce((sum, { maxBytes }) => sum + maxBytes, HEAD_BYTES + FOOT_BYTES + LENGTH_ROOM);
  return {
    layOut(rowCount, _metadata, room) {
      const items = specs.map((spec) => {
        const count = itemCount(spec, rowCount);
        return viewItems(spec.dtype, new ArrayBuffer(count * BYTES_OF[spec.dtype]), 0, count);
      });
      const needed = rowCount * maxRowBytes;
      const memory = room !== undefined && room.byteLength >= needed ? room : new ArrayBuffer(needed);
      const seal = (): Buffer<ArrayBuffer> => {
        const out = Buffer.from(memory);
        let at = 0;
        for (let row = 0; row < rowCount; row += 1) at = writeRecord(out, at, features, items, row);
        return out.subarray(0, at);
      };
      return { items, seal };
    },
  };
}

const BYTES_OF = { F64: 8, I64: 8, F32: 4, I32: 4, U8: 1, BOOL: 1 } as const;
/** Of the Example and its Features: a tag and a length each. */
const LENGTH_ROOM = 2 * (1 + MAX_VARINT_BYTES);

/** One tensor as a feature of each row. */
interface Feature {
  /** Tag, length and bytes of the key. */
  readonly key: Buffer;
  readonly maxBytes: number;
  /** Bytes of the row's list without tags and lengths around it. */
  size(items: Items, row: number): number;
  write(out: Buffer, at: number, items: Items, row: number): number;
  readonly list: number;
}

function featureOf({ name, dtype, shape }: TensorSpec): Feature {
  const width = shape[0] ?? 1;
  const text = Buffer.from(name);
  const key = Buffer.alloc(1 + varintBytes(text.length) + text.length);
  key[0] = TAG_1;
  text.copy(key, writeVarint(key, 1, text.length));
  const rawBytes = width * BYTES_OF[dtype];
  const around = key.length + 4 * (1 + MAX_VARINT_BYTES);
  if (dtype === 'F32' || dtype === 'F64' || (dtype === 'U8' && shape.length > 0)) {
    return {
      key,
      maxBytes: around + rawBytes,
      list: dtype === 'F32' ? FLOAT_LIST : BYTES_LIST,
      size: () => rawBytes,
      write: (out, at, items, row) => {
        out.set(new Uint8Array(items.buffer, items.byteOffset + row * rawBytes, rawBytes), at);
        return at + rawBytes;
      },
    };
  }
  return {
    key,
    maxBytes: around + width * MAX_VARINT_BYTES,
    list: INT64_LIST,
    size: (items, row) => {
      let bytes = 0;
      for (let item = row * width; item < (row + 1) * width; item += 1) bytes += int64Bytes(items[item] ?? 0);
      return bytes;
    },
    write: (out, at, items, row) => {
      let to = at;
      for (let item = row * width; item < (row + 1) * width; item += 1) to = writeInt64(out, to, items[item] ?? 0);
      return to;
    },
  };
}

function writeRecord(
  out: Buffer,
  from: number,
  features: readonly Feature[],
  items: readonly Items[],
  row: number,
): number {
  let featuresBytes = 0;
  const sizes = features.map((feature, place) => {
    const size = sizesOf(feature, items[place] ?? NO_ITEMS, row);
    featuresBytes += lengthened(size.entry);
    return size;
  });
  const dataFrom = from + HEAD_BYTES;
  let at = writeLength(out, dataFrom, TAG_1, featuresBytes);
  for (const [place, feature] of features.entries()) {
    const { list, value, entry } = sizes[place] ?? NO_SIZES;
    at = writeLength(out, at, TAG_1, entry);
    out.set(feature.key, at);
    at = writeLength(out, at + feature.key.length, TAG_2, value);
    at = writeLength(out, at, feature.list, lengthened(list));
    at = writeLength(out, at, TAG_1, list);
    at = feature.write(out, at, items[place] ?? NO_ITEMS, row);
  }
  const length = at - dataFrom;
  out.writeUInt32LE(length, from);
  out.writeUInt32LE(0, from + 4);
  out.writeUInt32LE(masked(crc32c(out, from, from + 8)), from + 8);
  out.writeUInt32LE(masked(crc32c(out, dataFrom, at)), at);
  return at + FOOT_BYTES;
}

const NO_ITEMS = new Uint8Array(0);
const NO_SIZES = { list: 0, value: 0, entry: 0 };

function sizesOf(feature: Feature, items: Items, row: number): { list: number; value: number; entry: number } {
  const list = feature.size(items, row);
  const value = lengthened(lengthened(list));
  return { list, value, entry: feature.key.length + lengthened(value) };
}

/** Bytes of a field of so many bytes, with its tag and length. */
function lengthened(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes;
}

function writeLength(out: Buffer, at: number, tag: number, length: number): number {
  out[at] = tag;
  return writeVarint(out, at + 1, length);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

function writeVarint(out: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out[at++] = (rest % 128) | 128;
  out[at++] = rest;
  return at;
}

/** Negative numbers take ten bytes, as Protobuf's int64 does. */
function int64Bytes(value: number | bigint): number {
  if (typeof value === 'number' && value >= 0) return varintBytes(value);
  let bytes = 1;
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest >= 128n; rest >>= 7n) bytes += 1;
  return bytes;
}

function writeInt64(out: Buffer, from: number, value: number | bigint): number {
  if (typeof value === 'number' && value >= 0) return writeVarint(out, from, value);
  let at = from;
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) out[at++] = Number(rest & 127n) | 128;
  out[at++] = Number(rest);
  return at;
}

/** So that a CRC of bytes that hold CRCs is no special one. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
