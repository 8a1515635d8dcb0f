import type { MappedRecord } from '../../model/events/records/mapped-record.ts';
import type { PoisonClass } from '../../model/events/records/poison.ts';
import { type Histogram, openHistogram } from './histogram.ts';

/** What a series of figures belongs to; `partition` is undefined for a subscription. */
export interface IngestSeries {
  readonly pipeline: string;
  /** The Kafka topic, or the Pub/Sub subscription. */
  readonly topic: string;
  readonly partition: number | undefined;
}

/** One commit, as the meter sees it. */
export interface CommitSeen {
  readonly rowCount: number;
  readonly skippedCount: number;
  /** The classes of what was set aside, one entry a record. */
  readonly poison: readonly PoisonClass[];
  readonly durationMs: number;
  /** The records that the commit took. */
  readonly taken: readonly MappedRecord[];
  /** When the commit was answered; milliseconds since 1970. */
  readonly committedAtMs: number;
}

/** Where a partition stands after, or before, a commit. */
export interface PartitionLag {
  readonly recordCount: number;
  /** The time of the oldest record that is not committed, or a time before it; undefined when there is none. */
  readonly oldestMs: number | undefined;
}

/** The figures of one series since the meter was opened. */
export interface IngestFigures extends IngestSeries {
  rows: number;
  skipped: number;
  commits: number;
  aborts: number;
  retries: number;
  readonly poison: Map<PoisonClass, number>;
  readonly commitSeconds: Histogram;
  readonly eventToCommitSeconds: Histogram;
  readonly batchRows: Histogram;
  /** Undefined for what has no lag, and for a partition that is somebody else's now. */
  lag: PartitionLag | undefined;
}

/** Counts what a worker ingests: plain numbers, cheap enough for each record. */
export interface IngestMeter {
  committed(series: IngestSeries, seen: CommitSeen): void;
  /** A transaction is run again: Spanner aborted it, or its answer was lost. */
  repeated(series: IngestSeries, why: 'aborted' | 'unavailable'): void;
  /** Where a partition stands; nothing for one that `holds` has not named. */
  lagging(series: IngestSeries, lag: PartitionLag): void;
  /** The partitions of a pipeline that are ours from now on: the lag of others is not ours to tell. */
  holds(pipeline: string, partitions: readonly { readonly topic: string; readonly partition: number }[]): void;
  figures(): Iterable<IngestFigures>;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30, 60, 300, 3_600];
const ROWS = [1, 5, 10, 50, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000];

/** Makes a meter at zero. */
export function openIngestMeter(): IngestMeter {
  const all = new Map<string, IngestFigures>();
  const held = new Map<string, ReadonlySet<string>>();
  const figuresOf = (series: IngestSeries): IngestFigures => {
    const name = `${series.pipeline}\n${placeOf(series)}`;
    const held = all.get(name) ?? newFigures(series);
    all.set(name, held);
    return held;
  };
  return {
    committed(series, { rowCount, skippedCount, poison, durationMs, taken, committedAtMs }) {
      const figures = figuresOf(series);
      figures.commits += 1;
      figures.rows += rowCount;
      figures.skipped += skippedCount;
      for (const name of poison) figures.poison.set(name, (figures.poison.get(name) ?? 0) + 1);
      figures.commitSeconds.add(durationMs / 1_000);
      figures.batchRows.add(rowCount);
      for (const { record } of taken) {
        const timeMs = record.timestampMs;
        // A clock that runs ahead of ours makes no event that is committed before it happens.
        if (timeMs !== undefined) figures.eventToCommitSeconds.add(Math.max(0, committedAtMs - timeMs) / 1_000);
      }
    },
    repeated(series, why) {
      const figures = figuresOf(series);
      if (why === 'aborted') figures.aborts += 1;
      else figures.retries += 1;
    },
    lagging(series, lag) {
      if (held.get(series.pipeline)?.has(placeOf(series))) figuresOf(series).lag = lag;
    },
    holds(pipeline, partitions) {
      const ours = new Set(partitions.map(placeOf));
      held.set(pipeline, ours);
      for (const figures of all.values()) {
        if (figures.pipeline === pipeline && !ours.has(placeOf(figures))) figures.lag = undefined;
      }
    },
    figures: () => all.values(),
  };
}

function placeOf({ topic, partition }: Omit<IngestSeries, 'pipeline'>): string {
  return `${topic}\n${partition ?? ''}`;
}

function newFigures({ pipeline, topic, partition }: IngestSeries): IngestFigures {
  return {
    pipeline,
    topic,
    partition,
    rows: 0,
    skipped: 0,
    commits: 0,
    aborts: 0,
    retries: 0,
    poison: new Map(),
    commitSeconds: openHistogram(SECONDS),
    eventToCommitSeconds: openHistogram(SECONDS),
    batchRows: openHistogram(ROWS),
    lag: undefined,
  };
}
