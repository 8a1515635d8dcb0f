import type { PartitionBatch } from '../../shared/adapters/kafka/driver.ts';
import type { IngestMeter } from '../../shared/adapters/telemetry/ingest-meter.ts';
import type { RawRecord } from '../../shared/model/events/records/raw-record.ts';

/** Tells the meter how far partitions are behind, as their batches come and are committed. */
export interface LagWatch {
  fetched(pipeline: string, batch: PartitionBatch): void;
  committed(series: CommittedPartition, nextOffset: bigint): void;
}

interface CommittedPartition {
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: bigint;
  /** When the last record that was committed happened; undefined where it says no time. */
  readonly lastEventMs: number | undefined;
}

/** Makes the watch. It holds on to a partition's fetched records until they are committed, or the next ones come. */
export function watchLag(meter: IngestMeter): LagWatch {
  const waiting = new Map<string, readonly RawRecord[]>();
  return {
    fetched(pipeline, batch) {
      const { topic, partition, records, fetchedFrom, nextOffset, highWatermark } = batch;
      waiting.set(`${pipeline}\n${topic}\n${partition}`, records);
      const recordCount = behind(highWatermark, records.length > 0 ? fetchedFrom : nextOffset);
      const oldestMs = recordCount > 0 ? records[0]?.timestampMs : undefined;
      meter.lagging({ pipeline, topic, partition }, { recordCount, oldestMs });
    },
    committed({ pipeline, topic, partition, highWatermark, lastEventMs }, nextOffset) {
      const name = `${pipeline}\n${topic}\n${partition}`;
      const next = firstFrom(waiting.get(name) ?? [], nextOffset);
      if (!next) waiting.delete(name);
      const recordCount = behind(highWatermark, nextOffset);
      // What follows is not known before it is fetched; it is no older than what was committed last.
      const oldestMs = recordCount > 0 ? (next?.timestampMs ?? lastEventMs) : undefined;
      meter.lagging({ pipeline, topic, partition }, { recordCount, oldestMs });
    },
  };
}

function behind(highWatermark: bigint, position: bigint): number {
  return highWatermark > position ? Number(highWatermark - position) : 0;
}

/** The first record at this offset or above; records are in order. */
function firstFrom(records: readonly RawRecord[], offset: bigint): RawRecord | undefined {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle]?.offset ?? 0n) < offset) low = middle + 1;
    else high = middle;
  }
  return records[low];
}
