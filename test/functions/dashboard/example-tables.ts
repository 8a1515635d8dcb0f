import { type Database, Spanner } from '@google-cloud/spanner';
import type { PartitionEnd } from '../../../shared/adapters/kafka/end-offsets.ts';
import { exampleDeclaration, kafka, pubsub } from './example-declaration.ts';

/** Six pipelines as a busy afternoon leaves them: most flow, one is stalled, one sets records aside, one is idle. */
export const exampleFlights = exampleDeclaration({
  orders: kafka('orders'),
  payments: kafka('payments'),
  flights: kafka('flights'),
  'delays-by-origin': kafka('flights'),
  airports: pubsub('airports'),
  returns: pubsub('returns'),
});

const time = (atMs: number) => Spanner.timestamp(new Date(atMs).toISOString());
const MINUTE = 60_000;

/** A text that would run, were it ever taken for markup. */
export const hostile = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>'\u202e`;

/** How one pipeline went: commits of `perCommit` records, one each `everyMs`, until `quietMs` ago. */
interface Course {
  readonly pipeline: string;
  readonly topic: string;
  readonly partitions: number;
  readonly perCommit: (commit: number) => number;
  readonly everyMs: number;
  readonly quietMs: number;
}

const courses: readonly Course[] = [
  {
    pipeline: 'orders',
    topic: 'orders',
    partitions: 2,
    perCommit: (n) => 380 + ((n * 37) % 90),
    everyMs: 20_000,
    quietMs: 4 * MINUTE + 12_000,
  },
  {
    pipeline: 'payments',
    topic: 'payments',
    partitions: 1,
    perCommit: (n) => 120 + ((n * 53) % 60),
    everyMs: 15_000,
    quietMs: 900,
  },
  {
    pipeline: 'flights',
    topic: 'flights',
    partitions: 2,
    perCommit: (n) => 800 + Math.round(300 * Math.sin(n / 9)),
    everyMs: 10_000,
    quietMs: 400,
  },
  {
    pipeline: 'delays-by-origin',
    topic: 'flights',
    partitions: 2,
    perCommit: (n) => 790 + Math.round(300 * Math.sin(n / 9 + 1)),
    everyMs: 10_000,
    quietMs: 500,
  },
];

/** Fills the control tables, and returns what the brokers would say of the topics' ends. */
export async function fillExample(database: Database, nowMs: number): Promise<Map<string, PartitionEnd[]>> {
  const ends = new Map<string, PartitionEnd[]>();
  for (const course of courses) await fillCourse(database, course, nowMs, ends);
  await database.table('PenstockReceipts').insert(
    Array.from({ length: 240 }, (_, n) => ({
      Pipeline: 'airports',
      EventId: `event-${n}`,
      PayloadHash: Buffer.alloc(32),
      Outcome: 'written',
      ReceivedAt: time(nowMs - 500 - n * 7_300),
    })),
  );
  await database.table('PenstockReceipts').insert({
    Pipeline: 'returns',
    EventId: 'event-1',
    PayloadHash: Buffer.alloc(32),
    Outcome: 'written',
    ReceivedAt: time(nowMs - 41 * MINUTE),
  });
  await fillDeadLetters(database, nowMs);
  return ends;
}

async function fillCourse(
  database: Database,
  { pipeline, topic, partitions, perCommit, everyMs, quietMs }: Course,
  nowMs: number,
  ends: Map<string, PartitionEnd[]>,
): Promise<void> {
  const commits = Math.floor((30 * MINUTE - quietMs) / everyMs);
  const found: PartitionEnd[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    let offset = 0;
    const rows = Array.from({ length: commits }, (_, n) => {
      const from = offset;
      offset += perCommit(n);
      const committedAtMs = nowMs - quietMs - (commits - 1 - n) * everyMs;
      return lineageRow({ pipeline, topic, partition, from, to: offset, committedAtMs });
    });
    await database.table('PenstockLineage').insert(rows);
    const waiting = quietMs > MINUTE ? 231_559 : 40 + partition * 7;
    await database.table('PenstockCheckpoints').insert(
      checkpointRow({
        pipeline,
        topic,
        partition,
        next: offset,
        end: offset + waiting,
        updatedAtMs: nowMs - quietMs,
      }),
    );
    found.push({ partition, lowOffset: 0n, endOffset: BigInt(offset + waiting), lowTimeMs: undefined });
  }
  if (!ends.has(topic)) ends.set(topic, found);
}

async function fillDeadLetters(database: Database, nowMs: number): Promise<void> {
  const reasons: readonly [string, string, Buffer][] = [
    ['undecodable', 'The value is not JSON: unexpected token at character 17', Buffer.from('{"id": 4711, "amo')],
    [
      'unmappable',
      'Field amount is "12,50", which is no FLOAT64',
      Buffer.from('{"id":4712,"amount":"12,50","currency":"EUR"}'),
    ],
    ['undecodable', `The value is not JSON: ${hostile}`, Buffer.from(hostile)],
    ['too-large', 'The record has 12,582,912 bytes, more than a cell holds', Buffer.from([0, 1, 2, 255, 254, 65, 66])],
    ['constraint', 'Column Iata is NOT NULL, and the record has none', Buffer.from('{"name":"Nowhere"}')],
  ];
  await database.table('PenstockDeadLetters').insert(
    Array.from({ length: 37 }, (_, n) => {
      const [kind, reason, value] = reasons[n % reasons.length] ?? ['undecodable', '', Buffer.alloc(0)];
      return {
        Pipeline: 'payments',
        DeadLetterId: `payments/0/${String(900 + n).padStart(20, '0')}`,
        Part: 0,
        Source: 'kafka',
        Topic: 'payments',
        PartitionId: 0,
        RecordOffset: 900 + n,
        Class: kind,
        Reason: reason,
        RecordKey: Buffer.from(`pay-${n}`),
        RecordValue: value,
        PartCount: 1,
        ValueBytes: kind === 'too-large' ? 12_582_912 : value.length,
        RecordedAt: time(nowMs - 20_000 - n * 9_000),
      };
    }),
  );
}

/** An epoch of this many shards, and how many of them are in which state. */
export async function fillEpoch(
  database: Database,
  epoch: { id: string; state: string; plannedAtMs: number; deliveredAtMs?: number; error?: string },
  shards: readonly { state: string; rows: number; batches: number; error?: string }[],
): Promise<void> {
  const isDelivered = epoch.deliveredAtMs !== undefined;
  await database.table('PenstockEpochs').insert({
    EpochId: epoch.id,
    Feed: 'delays',
    State: epoch.state,
    ReadTimestamp: time(epoch.plannedAtMs - 40),
    PlanDigest: `sha256:${'4f'.repeat(32)}`,
    Manifest: JSON.stringify({}),
    Outline: JSON.stringify({
      checkpoints: [0, 1].map((partition) => ({
        pipeline: 'flights',
        topic: 'flights',
        partition,
        nextOffset: '143902',
      })),
    }),
    ShardCount: shards.length,
    RowCount: isDelivered ? shards.reduce((sum, { rows }) => sum + rows, 0) : null,
    BatchCount: isDelivered ? shards.reduce((sum, { batches }) => sum + batches, 0) : null,
    PlannedBy: 'plan-epoch@demo.iam.gserviceaccount.com',
    PlannedAt: time(epoch.plannedAtMs),
    DeliveredAt: epoch.deliveredAtMs === undefined ? null : time(epoch.deliveredAtMs),
    Error: epoch.error ?? null,
  });
  const rows = shards.map(({ state, rows, batches, error }, number) => ({
    EpochId: epoch.id,
    ShardId: number,
    State: state,
    KeyRange: JSON.stringify({}),
    Fence: 1,
    RowCount: rows,
    BatchCount: batches,
    UpdatedAt: time(epoch.plannedAtMs + 1_000),
    Error: error ?? null,
  }));
  for (let from = 0; from < rows.length; from += 2_000) {
    await database.table('PenstockShards').insert(rows.slice(from, from + 2_000));
  }
}

export function lineageRow(commit: {
  pipeline: string;
  topic: string;
  partition: number;
  from: number;
  to: number;
  committedAtMs: number;
}) {
  return {
    Pipeline: commit.pipeline,
    Topic: commit.topic,
    PartitionId: commit.partition,
    FromOffset: commit.from,
    ToOffset: commit.to,
    RowCount: commit.to - commit.from,
    SkippedCount: 0,
    DeadCount: 0,
    Fence: 1,
    Identity: 'kafka-sink@demo.iam.gserviceaccount.com',
    CommittedAt: time(commit.committedAtMs),
  };
}

export function checkpointRow(checkpoint: {
  pipeline: string;
  topic: string;
  partition: number;
  next: number;
  end: number;
  updatedAtMs: number;
}) {
  return {
    Pipeline: checkpoint.pipeline,
    Topic: checkpoint.topic,
    PartitionId: checkpoint.partition,
    TopicId: 'b9f6c2de-0000-4000-8000-000000000001',
    NextOffset: checkpoint.next,
    Fence: 3,
    Owner: 'kafka-sink-1',
    HighWatermark: checkpoint.end,
    LastEventAt: time(checkpoint.updatedAtMs - 20),
    UpdatedAt: time(checkpoint.updatedAtMs),
  };
}
