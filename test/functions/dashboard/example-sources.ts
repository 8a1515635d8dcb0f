import type { PipelineSource, Sources } from '../../../functions/dashboard/sources/sources.ts';
import { readProgress, type TrainerProgress } from '../../../functions/dashboard/sources/trainer-progress.ts';
import { foldLineage } from '../../../functions/dashboard/view/lineage.ts';
import type {
  CheckpointRow,
  DeadLetterRow,
  EpochRow,
  LineageRow,
  RotationRow,
  ShardRow,
} from '../../../shared/adapters/spanner/overview-store.ts';
import type { Declaration, RotatedSecret } from '../../../shared/model/config/declaration.ts';
import { startPosition } from '../../../shared/model/epochs/cut-block.ts';

export const NOW = Date.UTC(2026, 10, 21, 6, 28, 29);

/** One partition of topic `flights`: what was committed, and where its log ends. */
export interface PartitionExample {
  readonly commits: readonly (readonly [from: number, to: number, agoMs?: number])[];
  readonly end?: number;
  readonly low?: number;
  /** How long ago the oldest record of the log happened. */
  readonly lowAgoMs?: number;
  readonly next?: number;
  readonly lastEventAgoMs?: number;
  readonly updatedAgoMs?: number;
  readonly highWatermark?: number;
}

export function sourcesOf(declaration: Declaration, parts: Partial<Sources> = {}): Sources {
  return {
    asOfMs: NOW,
    declaration,
    pipelines: new Map(Object.keys(declaration.pipelines).map((name) => [name, kafkaSource([])])),
    epochs: [],
    shards: [],
    trainer: undefined,
    deadLetterHeads: [],
    approvals: [],
    secrets: new Map(),
    lagHistory: new Map(),
    stepsPerSecond: undefined,
    ...parts,
  };
}

/** A Kafka pipeline's source; `ends: false` for brokers that do not answer. */
export function kafkaSource(
  partitions: readonly PartitionExample[],
  options: { readonly ends?: boolean; readonly deadLetters?: readonly DeadLetterRow[] } = {},
): PipelineSource {
  const lineage = partitions.flatMap(({ commits }, partition) => {
    const summary = foldLineage(
      undefined,
      commits.map(([from, to, agoMs]) => commit(from, to, agoMs)),
    );
    return summary ? [[`flights/${partition}`, summary] as const] : [];
  });
  const ends = partitions.map(({ commits, end, low, lowAgoMs }, partition) => ({
    topic: 'flights',
    partition,
    lowOffset: BigInt(low ?? 0),
    endOffset: BigInt(end ?? commits.at(-1)?.[1] ?? 0),
    lowTimeMs: lowAgoMs === undefined ? undefined : NOW - lowAgoMs,
  }));
  return {
    checkpoints: partitions.flatMap((example, partition) =>
      example.commits.length === 0 && example.next === undefined ? [] : [checkpoint(example, partition)],
    ),
    lineage: new Map(lineage),
    ends: options.ends === false ? undefined : ends,
    receipts: [],
    receiptsAreMore: false,
    deadLetters: options.deadLetters ?? [],
    deadLettersAreMore: false,
  };
}

export function receiptSource(agoMs: readonly number[], more = false): PipelineSource {
  const receipts = agoMs.map((ago) => ({ outcome: 'written', receivedAtMs: NOW - ago }));
  return { ...kafkaSource([]), ends: undefined, receipts, receiptsAreMore: more };
}

export function deadLetter(id: string, agoMs: number, parts: Partial<DeadLetterRow> = {}): DeadLetterRow {
  return {
    pipeline: 'flights',
    id,
    source: 'kafka',
    topic: 'flights',
    partition: 0,
    offset: 17n,
    eventId: undefined,
    class: 'undecodable',
    reason: 'The value is not JSON',
    valueBytes: 9,
    recordedAtMs: NOW - agoMs,
    redriven: false,
    redrivenAtMs: undefined,
    redrivenBy: undefined,
    ...parts,
  };
}

export function epochRow(id: string, agoMs: number, parts: Partial<EpochRow> = {}): EpochRow {
  return {
    id,
    feed: 'delays',
    state: 'reading',
    readTimestamp: new Date(NOW - agoMs).toISOString(),
    planDigest: 'sha256:00',
    outline: { checkpoints: [{ pipeline: 'flights', topic: 'flights', partition: 0, nextOffset: '120' }] },
    shardCount: 4,
    rowCount: undefined,
    batchCount: undefined,
    plannedBy: 'plan-epoch@demo.iam.gserviceaccount.com',
    plannedAtMs: NOW - agoMs,
    deliveredAtMs: undefined,
    error: undefined,
    ...parts,
  };
}

export function shardRows(...states: readonly string[]): ShardRow[] {
  return states.map((state, shard) => ({
    shard,
    state,
    rowCount: state === 'done' ? 1_000 : 0,
    batchCount: state === 'done' ? 1 : 0,
    leaseExpiresAtMs: undefined,
    startedAtMs: state === 'waiting' ? undefined : NOW - 20_000,
    updatedAtMs: NOW,
    of: shard,
    start: startPosition,
    cut: undefined,
    error: state === 'failed' ? 'The trainer answered 500' : undefined,
  }));
}

/** A secret that rotates every four weeks. */
export function rotatedSecret(name: string): RotatedSecret {
  const strategy = { kind: 'hmac-key' } as const;
  return { name, strategy, everyMs: 28 * 86_400_000, overlapMs: 1, waitForUsersMs: 1, destroyAfterMs: 1 };
}

/** A rotation from version 1 to 2 that began so long ago. */
export function rotationRecord(agoMs: number, parts: Partial<RotationRow> = {}): RotationRow {
  return {
    id: `asked-${agoMs}`,
    kind: 'rotate',
    step: 'closed',
    fromVersion: 1,
    toVersion: 2,
    startedAtMs: NOW - agoMs,
    updatedAtMs: NOW - agoMs,
    finishedAtMs: NOW - agoMs,
    reason: undefined,
    retireAtMs: undefined,
    destroyAtMs: undefined,
    failedStep: undefined,
    requestedBy: 'scheduler@demo.iam.gserviceaccount.com',
    ...parts,
  };
}

export function trainer(parts: Readonly<Record<string, unknown>> = {}): TrainerProgress | undefined {
  return readProgress({
    state: 'training',
    batches: 10,
    rows: 10_000,
    position: { pass: 2, batch: 3 },
    passes: 6,
    steps: 120,
    rowsSeenOnce: 10_000,
    training: {
      firstLoss: 0.69,
      lastLoss: 0.41,
      losses: [
        { step: 1, loss: 0.69 },
        { step: 120, loss: 0.41 },
      ],
      evaluations: [{ pass: 1, step: 60, loss: 0.5, auc: 0.62 }],
      auc: 0.62,
      baselineAuc: 0.61,
    },
    waitShare: 0.004,
    ...parts,
  });
}

function commit(from: number, to: number, agoMs = 1_000): LineageRow {
  const [fromOffset, toOffset] = [BigInt(from), BigInt(to)];
  return { fromOffset, toOffset, rowCount: to - from, skippedCount: 0, deadCount: 0, committedAtMs: NOW - agoMs };
}

function checkpoint(
  { commits, next, end, updatedAgoMs, lastEventAgoMs, highWatermark }: PartitionExample,
  partition: number,
): CheckpointRow {
  const last = commits.at(-1);
  const nextOffset = BigInt(next ?? last?.[1] ?? 0);
  return {
    pipeline: 'flights',
    topic: 'flights',
    partition,
    nextOffset,
    highWatermark: BigInt(highWatermark ?? end ?? nextOffset),
    owner: 'kafka-sink-1',
    lastEventAtMs: lastEventAgoMs === undefined ? undefined : NOW - lastEventAgoMs,
    updatedAtMs: NOW - (updatedAgoMs ?? last?.[2] ?? 1_000),
  };
}
