import { BATCH_HEADER_BYTES, sealBatch } from './record-batch.ts';

const TRANSACTIONAL_CONTROL = 0x30;
/** Lengths and deltas of the one record, each a zigzag varint of one byte. */
const zigzag = (value: number): number => value * 2;
const KEY_BYTES = 4;
const VALUE_BYTES = 6;
const RECORD_BYTES = 6 + KEY_BYTES + VALUE_BYTES;
/** Length, attributes, two deltas and the key's length stand before the key. */
const KEY_AT = BATCH_HEADER_BYTES + 5;

/** What a transaction's marker says. */
export type Marker = 'abort' | 'commit';

/** The control batch that ends a producer's transaction in one partition. */
export function controlBatch(marker: Marker, producerId: number, producerEpoch: number, timestamp: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + 1 + RECORD_BYTES);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(TRANSACTIONAL_CONTROL, 21);
  batch.writeBigInt64BE(BigInt(timestamp), 27);
  batch.writeBigInt64BE(BigInt(timestamp), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(producerEpoch, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(1, 57);
  batch[BATCH_HEADER_BYTES] = zigzag(RECORD_BYTES);
  batch[KEY_AT - 1] = zigzag(KEY_BYTES);
  batch.writeInt16BE(marker === 'commit' ? 1 : 0, KEY_AT + 2);
  batch[KEY_AT + KEY_BYTES] = zigzag(VALUE_BYTES);
  sealBatch(batch);
  return batch;
}

/** Reads what {@link controlBatch} wrote. */
export function readMarker(batch: Buffer): Marker {
  return batch.readInt16BE(KEY_AT + 2) === 1 ? 'commit' : 'abort';
}
