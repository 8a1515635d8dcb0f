import { crc32c } from './crc32c.ts';

/** Bytes before the first record of a batch of format 2. */
export const BATCH_HEADER_BYTES = 61;
/** Offset and length, which `batchLength` does not count. */
const PREFIX_BYTES = 12;
const CRC_FROM = 21;

/** What a record batch's header says. Source: kafka.apache.org, "Message format", record batch. */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The whole batch with its header. */
  readonly sizeBytes: number;
  readonly magic: number;
  readonly compression: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastOffsetDelta: number;
  readonly recordCount: number;
}

/** Reads the header at `position`; at least {@link BATCH_HEADER_BYTES} must lie there. */
export function readBatchHeader(bytes: Buffer, position = 0): BatchHeader {
  const attributes = bytes.readInt16BE(position + 21);
  const lastOffsetDelta = bytes.readInt32BE(position + 23);
  const baseOffset = readLong(bytes, position);
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    sizeBytes: PREFIX_BYTES + bytes.readInt32BE(position + 8),
    magic: bytes.readInt8(position + 16),
    compression: attributes & 0x07,
    transactional: (attributes & 0x10) !== 0,
    control: (attributes & 0x20) !== 0,
    baseTimestamp: readLong(bytes, position + 27),
    maxTimestamp: readLong(bytes, position + 35),
    producerId: readLong(bytes, position + 43),
    producerEpoch: bytes.readInt16BE(position + 51),
    baseSequence: bytes.readInt32BE(position + 53),
    lastOffsetDelta,
    recordCount: bytes.readInt32BE(position + 57),
  };
}

/** Gives a batch its place in a log; both fields lie before what the CRC covers. */
export function placeBatch(batch: Buffer, baseOffset: number, leaderEpoch: number): void {
  writeLong(batch, baseOffset, 0);
  batch.writeInt32BE(leaderEpoch, 12);
}

/** Whether the bytes of a whole batch are those that its producer summed. */
export function hasValidCrc(batch: Buffer): boolean {
  return crc32c(batch, CRC_FROM, batch.length) === batch.readUInt32BE(17);
}

/** Sums a batch made here. */
export function sealBatch(batch: Buffer): void {
  batch.writeUInt32BE(crc32c(batch, CRC_FROM, batch.length), 17);
}

function readLong(bytes: Buffer, position: number): number {
  return bytes.readInt32BE(position) * 2 ** 32 + bytes.readUInt32BE(position + 4);
}

function writeLong(bytes: Buffer, value: number, position: number): void {
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), position);
  bytes.writeUInt32BE(value % 2 ** 32, position + 4);
}
