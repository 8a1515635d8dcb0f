/** One header; the same name may come twice. */
export interface RecordHeader {
  readonly name: string;
  readonly value: Buffer;
}

/** One event as its source delivered it, undecoded. */
export interface RawRecord {
  readonly key: Buffer | null;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since 1970; undefined where the source has none. */
  readonly timestampMs: number | undefined;
  /** The Kafka topic, or the Pub/Sub subscription. */
  readonly topic: string;
  /** 0 for Pub/Sub. */
  readonly partition: number;
  /** 0 for Pub/Sub. */
  readonly offset: bigint;
}

/** Bytes of a record's key and value. */
export function recordBytes(record: RawRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0);
}
