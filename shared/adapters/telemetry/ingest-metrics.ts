import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import { millisToHrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { Histogram } from './histogram.ts';
import type { IngestFigures, IngestMeter } from './ingest-meter.ts';

type Point<T> = readonly [attributes: Attributes, value: T];
type PointsOf<T> = (figures: IngestFigures, attributes: Attributes, nowMs: number) => readonly Point<T>[];

interface Described {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
}

const counters: readonly (Described & { readonly points: PointsOf<number> })[] = [
  counter('rows', '{row}', 'Records whose row the table took', ({ rows }) => rows),
  counter('skipped', '{record}', 'Records that had nothing to write', ({ skipped }) => skipped),
  counter('commits', '{commit}', 'Commits', ({ commits }) => commits),
  counter('aborts', '{transaction}', 'Transactions that Spanner aborted and that ran again', ({ aborts }) => aborts),
  counter(
    'retries',
    '{transaction}',
    'Transactions whose answer was lost and that ran again',
    ({ retries }) => retries,
  ),
  {
    ...described('poison', '{record}', 'Records set aside, by class'),
    points: ({ poison }, attributes) => [...poison].map(([name, count]) => [{ ...attributes, class: name }, count]),
  },
];

const gauges: readonly (Described & { readonly points: PointsOf<number> })[] = [
  {
    ...described('lag.records', '{record}', 'Records of the partition that are not committed'),
    points: ({ lag }, attributes) => (lag ? [[attributes, lag.recordCount]] : []),
  },
  {
    ...described('lag.seconds', 's', 'Age of the oldest record that is not committed; 0 when all are'),
    points: ({ lag }, attributes, nowMs) => {
      if (!lag) return [];
      return [[attributes, lag.oldestMs === undefined ? 0 : Math.max(0, nowMs - lag.oldestMs) / 1_000]];
    },
  },
];

const histograms: readonly (Described & { readonly of: (figures: IngestFigures) => Histogram })[] = [
  {
    ...described('event_to_commit', 's', 'From the record’s own time to the commit of its row'),
    of: ({ eventToCommitSeconds }) => eventToCommitSeconds,
  },
  {
    ...described('commit.duration', 's', 'A transaction from its first read'),
    of: ({ commitSeconds }) => commitSeconds,
  },
  { ...described('batch.rows', '{row}', 'Rows of a commit'), of: ({ batchRows }) => batchRows },
];

function described(name: string, unit: string, description: string): Described {
  return { name: `penstock.ingest.${name}`, unit, description };
}

function counter(name: string, unit: string, description: string, value: (figures: IngestFigures) => number) {
  const points: PointsOf<number> = (figures, attributes) => [[attributes, value(figures)]];
  return { ...described(name, unit, description), points };
}

/** Gives a meter's figures to OpenTelemetry's reader whenever it collects, as sums since the start. */
export function ingestMetrics(
  meter: IngestMeter,
  scope: string,
  resource: Resource,
  clock: () => number = Date.now,
): MetricProducer {
  const startTime = millisToHrTime(clock());
  return {
    async collect() {
      const nowMs = clock();
      const span = { startTime, endTime: millisToHrTime(nowMs) };
      const metrics = metricsOf([...meter.figures()], span, nowMs);
      return { resourceMetrics: { resource, scopeMetrics: [{ scope: { name: scope }, metrics }] }, errors: [] };
    },
  };
}

function metricsOf(
  figures: readonly IngestFigures[],
  span: { readonly startTime: HrTime; readonly endTime: HrTime },
  nowMs: number,
): MetricData[] {
  const series = figures.map((one) => ({ one, attributes: attributesOf(one) }));
  const points = (of: PointsOf<number>) =>
    series.flatMap(({ one, attributes }) =>
      of(one, attributes, nowMs).map(([with_, value]) => ({ ...span, attributes: with_, value })),
    );
  const shared = { aggregationTemporality: AggregationTemporality.CUMULATIVE };
  const sums = counters.map(
    (metric): MetricData => ({
      ...shared,
      descriptor: descriptorOf(metric),
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints: points(metric.points),
    }),
  );
  const levels = gauges.map(
    (metric): MetricData => ({
      ...shared,
      descriptor: descriptorOf(metric),
      dataPointType: DataPointType.GAUGE,
      dataPoints: points(metric.points),
    }),
  );
  const spreads = histograms.map(
    (metric): MetricData => ({
      ...shared,
      descriptor: descriptorOf(metric),
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: series.map(({ one, attributes }) => ({ ...span, attributes, value: histogramValue(metric.of(one)) })),
    }),
  );
  return [...sums, ...levels, ...spreads].filter(({ dataPoints }) => dataPoints.length > 0);
}

function descriptorOf({ name, unit, description }: Described) {
  return { name, unit, description, valueType: ValueType.DOUBLE };
}

function attributesOf({ pipeline, topic, partition }: IngestFigures): Attributes {
  return { pipeline, topic, ...(partition === undefined ? {} : { partition }) };
}

function histogramValue({ bounds, counts, count, sum, min, max }: Histogram) {
  const buckets = { boundaries: [...bounds], counts: [...counts] };
  return { buckets, count, sum, ...(count === 0 ? {} : { min, max }) };
}
