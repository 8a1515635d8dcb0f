import protobuf from 'protobufjs';

/** As TensorFlow declares it: tensorflow/core/example/example.proto and feature.proto. */
const { root } = protobuf.parse(`
syntax = "proto3";
message BytesList { repeated bytes value = 1; }
message FloatList { repeated float value = 1 [packed = true]; }
message Int64List { repeated int64 value = 1 [packed = true]; }
message Feature { oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
message Features { map<string, Feature> feature = 1; }
message Example { Features features = 1; }`);
const example = root.lookupType('Example');

/** A feature's list, by the name of its kind; integers as decimal texts, bytes in hexadecimal digits. */
export type FeatureValue = Readonly<Record<string, { readonly value?: readonly unknown[] }>>;

/**
 * Reads a TFRecord file: frames by a plain CRC, Examples by protobufjs.
 *
 * @throws {Error} when a length or a CRC is wrong
 */
export function readTfrecord(file: Buffer): Readonly<Record<string, FeatureValue>>[] {
  const rows: Readonly<Record<string, FeatureValue>>[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    check(file.subarray(at, at + 8), file.readUInt32LE(at + 8), `length at ${at}`);
    const data = file.subarray(at + 12, at + 12 + length);
    check(data, file.readUInt32LE(at + 12 + length), `data at ${at}`);
    const decoded = example.decode(data);
    const { features } = example.toObject(decoded, { longs: String, bytes: Buffer, defaults: false });
    rows.push(features?.feature ?? {});
    at += 12 + length + 4;
  }
  return rows;
}

function check(bytes: Uint8Array, masked: number, what: string): void {
  const rotated = (masked - 0xa282ead8) >>> 0;
  const wanted = ((rotated >>> 17) | (rotated << 15)) >>> 0;
  if (plainCrc32c(bytes) !== wanted) throw new Error(`The CRC of the ${what} is wrong`);
}

/** Bit by bit, as RFC 3720 defines it. */
function plainCrc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ ((sum & 1) === 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}
