import { BATCH_HEADER_BYTES, sealBatch } from '../../../../deploy/local/kafka/storage/record-batch.ts';

/** A batch with a header that is right and a payload that nobody reads. */
export function makeBatch(recordCount: number, payloadBytes: number, timestamp: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + payloadBytes, recordCount);
  batch.fill(0, 0, BATCH_HEADER_BYTES);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt32BE(recordCount - 1, 23);
  batch.writeBigInt64BE(BigInt(timestamp), 27);
  batch.writeBigInt64BE(BigInt(timestamp), 35);
  batch.writeBigInt64BE(-1n, 43);
  batch.writeInt32BE(recordCount, 57);
  sealBatch(batch);
  return batch;
}
