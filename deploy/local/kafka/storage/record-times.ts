import { decompress } from './decompress.ts';
import { BATCH_HEADER_BYTES, readBatchHeader } from './record-batch.ts';

/** A record's place and time, ms since the epoch. */
export interface RecordTime {
  readonly offset: number;
  readonly timestamp: number;
}

/**
 * The offsets and times of a batch's records, in order.
 *
 * @throws {Error} the records cannot be decompressed or end too early
 */
export function* recordTimes(batch: Buffer): Generator<RecordTime> {
  const header = readBatchHeader(batch);
  const bytes = decompress(header.compression, batch.subarray(BATCH_HEADER_BYTES));
  let at = 0;
  for (let count = 0; count < header.recordCount; count++) {
    const length = zigzag(bytes, at);
    const timestampDelta = zigzag(bytes, length.end + 1);
    const offsetDelta = zigzag(bytes, timestampDelta.end);
    yield {
      offset: header.baseOffset + offsetDelta.value,
      timestamp: header.baseTimestamp + timestampDelta.value,
    };
    at = length.end + length.value;
  }
}

function zigzag(bytes: Buffer, from: number): { value: number; end: number } {
  let value = 0;
  for (let at = from, scale = 1; ; at++, scale *= 0x80) {
    const byte = bytes.readUInt8(at);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value: value % 2 === 0 ? value / 2 : -(value + 1) / 2, end: at + 1 };
  }
}
