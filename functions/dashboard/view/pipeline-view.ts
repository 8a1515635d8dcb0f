import type { PartitionEnd } from '../../../shared/adapters/kafka/end-offsets.ts';
import type { CheckpointRow } from '../../../shared/adapters/spanner/overview-store.ts';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { describeSource } from '../../../shared/model/config/describe-source.ts';
import { type PipelineSource, partitionKey } from '../sources/sources.ts';
import { type LagSample, lagGrowthPerMinute, lastCaughtUpAt } from './lag-history.ts';
import { type LineageBreak, type LineageSummary, rowsByMinute, rowsPerSecond } from './lineage.ts';
import type { Health, PartitionView, PipelineState, PipelineView } from './view-model.ts';
import { sayAge, sayCount } from './words.ts';

const IDLE_AFTER_MS = 120_000;
const STALLED_AFTER_MS = 60_000;
const BEHIND_AFTER_MS = 30_000;
const RECENT_DEAD_LETTER_MS = 600_000;
/** Growth below this is a batch in flight, not a trend. */
const LEAST_GROWTH_PER_MINUTE = 30;

/** What is known of one partition, laid together. */
interface Partition {
  readonly topic: string;
  readonly partition: number;
  readonly checkpoint: CheckpointRow | undefined;
  readonly end: PartitionEnd | undefined;
  readonly lineage: LineageSummary | undefined;
  readonly breaks: readonly LineageBreak[];
  readonly lost: bigint;
  readonly doubled: bigint;
}

/** Lays together what the control tables, the brokers and earlier looks say of one pipeline. */
export function viewPipeline(
  pipeline: Pipeline,
  source: PipelineSource,
  samples: readonly LagSample[],
  nowMs: number,
): PipelineView {
  const open = source.deadLetters.filter(({ redriven }) => !redriven);
  const base = {
    name: pipeline.name,
    table: [...new Set(pipeline.targets.map(({ table }) => table))].join(', '),
    setAside: open.length,
    setAsideIsMore: source.deadLettersAreMore,
  };
  const isSettingAside = open.some(({ recordedAtMs }) => recordedAtMs > nowMs - RECENT_DEAD_LETTER_MS);
  if (pipeline.source.kind === 'pubsub') {
    const from = { kind: 'pubsub' as const, source: describeSource(pipeline.source) };
    return { ...base, ...from, ...viewReceipts(source, isSettingAside, nowMs) };
  }
  const topics =
    pipeline.source.pattern === undefined
      ? pipeline.source.topics
      : [...source.checkpoints, ...(source.ends ?? [])].map(({ topic }) => topic);
  const partitions = [...new Set(topics)].sort().flatMap((topic) => layTogether(topic, source));
  const lag = lagOf(partitions, source.ends !== undefined, samples, nowMs);
  const lost = partitions.reduce((sum, { lost }) => sum + lost, 0n);
  const doubled = partitions.reduce((sum, { doubled }) => sum + doubled, 0n);
  const lineage = partitions.flatMap((partition) => partition.lineage ?? []);
  const lastCommitAtMs = Math.max(...source.checkpoints.map(({ updatedAtMs }) => updatedAtMs), 0);
  return {
    ...base,
    kind: 'kafka',
    source: describeSource(pipeline.source),
    ...decideState({ lag, lost, doubled, isSettingAside, lastCommitAtMs, hasStarted: lineage.length > 0, nowMs }),
    ...lag,
    rowsPerSecond: rowsPerSecond(lineage, nowMs),
    rowsByMinute: rowsByMinute(lineage, nowMs),
    lost: String(lost),
    doubled: String(doubled),
    checkedOffsets: String(lineage.reduce((sum, { fromOffset, toOffset }) => sum + toOffset - fromOffset, 0n)),
    partitions: partitions.map(viewPartition),
  };
}

function layTogether(topic: string, source: PipelineSource): Partition[] {
  const checkpoints = source.checkpoints.filter((checkpoint) => checkpoint.topic === topic);
  const ends = source.ends?.filter((end) => end.topic === topic) ?? [];
  const numbers = new Set([...checkpoints, ...ends].map(({ partition }) => partition));
  return [...numbers]
    .sort((a, b) => a - b)
    .map((partition) => {
      const checkpoint = checkpoints.find((row) => row.partition === partition);
      const end = ends.find((found) => found.partition === partition);
      const lineage = source.lineage.get(partitionKey(topic, partition));
      return { topic, partition, checkpoint, end, lineage, ...breaksOf(checkpoint, end, lineage) };
    });
}

/** Gaps and overlaps between commits, between the last commit and the checkpoint, and up to what the broker still has. */
function breaksOf(
  checkpoint: CheckpointRow | undefined,
  end: PartitionEnd | undefined,
  lineage: LineageSummary | undefined,
): Pick<Partition, 'breaks' | 'lost' | 'doubled'> {
  const breaks = [...(lineage?.breaks ?? [])];
  let [lost, doubled] = [lineage?.lostCount ?? 0n, lineage?.doubledCount ?? 0n];
  if (checkpoint && lineage && checkpoint.nextOffset > lineage.toOffset) {
    breaks.push({ kind: 'gap', fromOffset: lineage.toOffset, toOffset: checkpoint.nextOffset });
    lost += checkpoint.nextOffset - lineage.toOffset;
  }
  if (checkpoint && lineage && checkpoint.nextOffset < lineage.toOffset) {
    breaks.push({ kind: 'overlap', fromOffset: checkpoint.nextOffset, toOffset: lineage.toOffset });
    doubled += lineage.toOffset - checkpoint.nextOffset;
  }
  if (checkpoint && end && lineage && checkpoint.nextOffset < end.lowOffset) {
    breaks.push({ kind: 'gap', fromOffset: checkpoint.nextOffset, toOffset: end.lowOffset });
    lost += end.lowOffset - checkpoint.nextOffset;
  }
  return { breaks, lost, doubled };
}

function lagOf(
  partitions: readonly Partition[],
  endsAreKnown: boolean,
  samples: readonly LagSample[],
  nowMs: number,
): Pick<PipelineView, 'lagRecords' | 'lagMs' | 'lagGrowthPerMinute'> {
  if (!endsAreKnown) return { lagRecords: null, lagMs: null, lagGrowthPerMinute: null };
  const lagRecords = lagRecordsOf(partitions);
  const growth = lagGrowthPerMinute([...samples, { atMs: nowMs, lagRecords }]);
  return { lagRecords, lagMs: lagMsOf(partitions, samples, nowMs), lagGrowthPerMinute: growth ?? null };
}

function lagRecordsOf(partitions: readonly Partition[]): number {
  return partitions.reduce((sum, partition) => sum + Number(waitingIn(partition)), 0);
}

function waitingIn({ checkpoint, end }: Partition): bigint {
  if (!end) return 0n;
  const next = checkpoint?.nextOffset ?? end.lowOffset;
  return end.endOffset > next ? end.endOffset - next : 0n;
}

/**
 * How old the oldest waiting record is, at most.
 *
 * The last event's own time overstates it after a pause; a look at which nothing waited, and a commit that reached the
 * end of its log, bound it.
 */
function lagMsOf(partitions: readonly Partition[], samples: readonly LagSample[], nowMs: number): number {
  const caughtUpAt = lastCaughtUpAt(samples) ?? Number.NEGATIVE_INFINITY;
  const ages = partitions
    .filter((partition) => waitingIn(partition) > 0n)
    .flatMap(({ checkpoint, end }) => {
      // Nothing of it was ever committed: the log's own oldest record waits.
      if (!checkpoint) return end?.lowTimeMs === undefined ? [] : [nowMs - Math.max(end.lowTimeMs, caughtUpAt)];
      const { nextOffset, highWatermark, updatedAtMs, lastEventAtMs } = checkpoint;
      const reachedTheEnd = nextOffset >= highWatermark;
      const since = reachedTheEnd ? updatedAtMs : (lastEventAtMs ?? updatedAtMs);
      return [nowMs - Math.max(since, caughtUpAt)];
    });
  return Math.max(0, ...ages);
}

interface Facts {
  readonly lag: Pick<PipelineView, 'lagRecords' | 'lagMs' | 'lagGrowthPerMinute'>;
  readonly lost: bigint;
  readonly doubled: bigint;
  readonly isSettingAside: boolean;
  readonly lastCommitAtMs: number;
  readonly hasStarted: boolean;
  readonly nowMs: number;
}

type Decided = { state: PipelineState; health: Health; stateText: string };

function decideState(facts: Facts): Decided {
  const { lag, lost, doubled, lastCommitAtMs, hasStarted, nowMs } = facts;
  if (lost > 0n) return say('losing', 'bad', `${sayCount(lost)} lost`);
  if (doubled > 0n) return say('losing', 'bad', `${sayCount(doubled)} doubled`);
  if (lag.lagRecords === null) return say('unknown', 'unknown', 'Lag not known');
  if (lag.lagRecords > 0 && !hasStarted && lastCommitAtMs < nowMs - STALLED_AFTER_MS) {
    return say('not-started', 'warn', 'Not started');
  }
  if (!hasStarted) return say('idle', 'idle', lag.lagRecords > 0 ? 'Starting' : 'Nothing yet');
  return decideFlow(facts, lag.lagRecords, lag.lagMs ?? 0);
}

function decideFlow(facts: Facts, lagRecords: number, lagMs: number): Decided {
  const growth = facts.lag.lagGrowthPerMinute ?? 0;
  const quietMs = facts.nowMs - facts.lastCommitAtMs;
  if (lagRecords > 0 && lagMs > STALLED_AFTER_MS && quietMs > STALLED_AFTER_MS) {
    return say('stalled', 'warn', `Stalled for ${sayAge(quietMs)}`);
  }
  if (lagMs > BEHIND_AFTER_MS / 2 && growth > LEAST_GROWTH_PER_MINUTE) {
    return say('falling-behind', 'warn', 'Falling behind');
  }
  if (facts.isSettingAside) return say('setting-aside', 'warn', 'Setting aside');
  if (lagMs > BEHIND_AFTER_MS) return say('catching-up', 'ok', 'Catching up');
  if (lagRecords === 0 && quietMs > IDLE_AFTER_MS) return say('idle', 'idle', `Idle for ${sayAge(quietMs)}`);
  return say('flowing', 'ok', 'Flowing');
}

/** Pub/Sub tells a push endpoint nothing of its backlog: receipts are what is known. */
function viewReceipts(source: PipelineSource, isSettingAside: boolean, nowMs: number) {
  const buckets = new Map<number, number>();
  let lastAtMs = 0;
  for (const { receivedAtMs } of source.receipts) {
    const bucket = Math.floor(receivedAtMs / 10_000);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
    lastAtMs = Math.max(lastAtMs, receivedAtMs);
  }
  const shown = source.receiptsAreMore ? [] : [{ buckets }];
  return {
    ...decideReceiptState(lastAtMs, isSettingAside, nowMs),
    lagRecords: null,
    lagMs: null,
    lagGrowthPerMinute: null,
    rowsPerSecond: source.receiptsAreMore ? null : rowsPerSecond(shown, nowMs),
    rowsByMinute: rowsByMinute(shown, nowMs),
    lost: '0',
    doubled: '0',
    checkedOffsets: '0',
    partitions: [],
  };
}

function decideReceiptState(lastAtMs: number, isSettingAside: boolean, nowMs: number): Decided {
  if (isSettingAside) return say('setting-aside', 'warn', 'Setting aside');
  if (lastAtMs === 0) return say('idle', 'idle', 'Nothing yet');
  const quietMs = nowMs - lastAtMs;
  return quietMs > IDLE_AFTER_MS ? say('idle', 'idle', `Idle for ${sayAge(quietMs)}`) : say('flowing', 'ok', 'Flowing');
}

function say(state: PipelineState, health: Health, stateText: string): Decided {
  return { state, health, stateText };
}

function viewPartition({ topic, partition, checkpoint, end, lineage, breaks }: Partition): PartitionView {
  return {
    topic,
    partition,
    nextOffset: textOf(checkpoint?.nextOffset),
    endOffset: textOf(end?.endOffset),
    owner: checkpoint?.owner ?? null,
    checkedFrom: textOf(lineage?.fromOffset),
    breaks: breaks.map(({ kind, fromOffset, toOffset }) => ({
      kind,
      fromOffset: String(fromOffset),
      toOffset: String(toOffset),
    })),
  };
}

function textOf(offset: bigint | undefined): string | null {
  return offset === undefined ? null : String(offset);
}
