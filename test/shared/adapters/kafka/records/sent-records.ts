import { createRequire } from 'node:module';
import { type CompressionAlgorithmValue, createRecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { registerCompressionCodecs } from '../../../../../shared/adapters/kafka/compression-codecs.ts';
import type { RawRecord } from '../../../../../shared/model/events/records/raw-record.ts';

/** A record as a producer was told to send it. */
export interface SentRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer])[];
  readonly timestampMs: number;
}

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const large = fc
  .tuple(fc.integer({ min: 100, max: 40_000 }), fc.integer({ min: 1, max: 250 }))
  .map(([length, step]) => Buffer.from(Array.from({ length }, (_, at) => at * step)));

export const sentRecord: fc.Arbitrary<SentRecord> = fc.record(
  {
    key: fc.option(bytes(40)),
    value: fc.option(fc.oneof({ weight: 10, arbitrary: bytes(200) }, { weight: 1, arbitrary: large })),
    headers: fc.uniqueArray(
      fc.tuple(
        fc.string({ unit: 'grapheme', maxLength: 12 }).map((name) => `h${name}`),
        bytes(20),
      ),
      {
        maxLength: 3,
        selector: ([name]) => name,
      },
    ),
    timestampMs: fc.integer({ min: 0, max: 4e12 }),
  },
  { noNullPrototype: true },
);

const require = createRequire(import.meta.url);
const { RecordBatch: encodeKafkajs }: { RecordBatch: (batch: unknown) => Promise<{ buffer: Buffer }> } =
  require('kafkajs/src/protocol/recordBatch/v0');
const kafkajsRecord: (record: unknown) => unknown = require('kafkajs/src/protocol/recordBatch/record/v0');

/** The codecs by their number on the wire. */
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** A batch as kafkajs sends it. */
export async function kafkajsBatch(records: readonly SentRecord[], codec: number): Promise<Buffer> {
  registerCompressionCodecs();
  const [first] = records;
  const batch = await encodeKafkajs({
    compression: codec,
    firstTimestamp: first?.timestampMs ?? 0,
    maxTimestamp: Math.max(0, ...records.map(({ timestampMs }) => timestampMs)),
    lastOffsetDelta: Math.max(0, records.length - 1),
    records: records.map(({ key, value, headers, timestampMs }, offsetDelta) =>
      kafkajsRecord({
        key,
        value,
        headers: Object.fromEntries(headers),
        offsetDelta,
        timestampDelta: timestampMs - (first?.timestampMs ?? 0),
      }),
    ),
  });
  return batch.buffer;
}

/** A batch as @platformatic/kafka sends it. It can send no null value, and no times that lie further apart than 24 days. */
export function platformaticBatch(records: readonly SentRecord[], codec: number): Buffer {
  const name: CompressionAlgorithmValue = codecs[codec] ?? 'none';
  const writer = createRecordsBatch(
    records.map(({ key, value, headers, timestampMs }) => ({
      topic: 't',
      ...(key ? { key } : {}),
      value: value ?? Buffer.alloc(0),
      headers: new Map(headers.map(([name, header]) => [Buffer.from(name), header])),
      timestamp: BigInt(timestampMs),
    })),
    { compression: name },
  );
  return Buffer.from(writer.buffer);
}

/** What was read, in the form of what was sent. */
export function asSent({ key, value, headers, timestampMs = -1 }: RawRecord): SentRecord {
  return { key, value, headers: headers.map(({ name, value }) => [name, value]), timestampMs };
}

/** Places a batch in a log. */
export function at(baseOffset: bigint, batch: Buffer): Buffer {
  const placed = Buffer.from(batch);
  placed.writeBigInt64BE(baseOffset, 0);
  return placed;
}
