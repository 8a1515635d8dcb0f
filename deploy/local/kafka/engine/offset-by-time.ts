import { errorCode } from '../protocol/error-code.ts';
import type { FoundBatch } from '../storage/partition-log.ts';
import { type RecordTime, recordTimes } from '../storage/record-times.ts';
import { KafkaError } from './kafka-error.ts';
import type { Partition } from './partition.ts';

/**
 * The first record at or after a time.
 *
 * @param below records from this offset on are not seen
 * @throws {KafkaError} CORRUPT_MESSAGE, where a batch's records cannot be read
 */
export function firstAtOrAfter(partition: Partition, timestamp: number, below: number): RecordTime | undefined {
  const { log } = partition;
  for (const batch of log.batchesFrom(log.startOffset, { withTimestamp: timestamp })) {
    if (batch.header.baseOffset >= below) return undefined;
    if (batch.header.maxTimestamp < timestamp) continue;
    const found = timesOf(batch).find((record) => record.timestamp >= timestamp && record.offset >= log.startOffset);
    if (found) return found;
  }
  return undefined;
}

/** The first of the records with the highest time. */
export function latestInTime(partition: Partition, below: number): RecordTime | undefined {
  const { log } = partition;
  let latest: FoundBatch | undefined;
  for (const batch of log.batchesFrom(log.startOffset)) {
    if (batch.header.baseOffset >= below) break;
    if (!latest || batch.header.maxTimestamp > latest.header.maxTimestamp) latest = batch;
  }
  if (!latest) return undefined;
  const { maxTimestamp } = latest.header;
  return timesOf(latest).find(({ timestamp }) => timestamp === maxTimestamp);
}

function timesOf(batch: FoundBatch): RecordTime[] {
  try {
    return [...recordTimes(batch.bytes())];
  } catch (error) {
    const message = `The records at offset ${batch.header.baseOffset} cannot be read: ${String(error)}`;
    throw new KafkaError(errorCode.corruptMessage, message);
  }
}
