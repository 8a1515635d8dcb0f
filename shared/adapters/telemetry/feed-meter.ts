import type { Meter } from '@opentelemetry/api';

/** What a reader waited for, in milliseconds. */
export interface Waits {
  readonly spannerMs: number;
  readonly trainerMs: number;
  readonly cpuMs: number;
}

/** Figures of the feed, by the feed's name. */
export interface FeedMeter {
  delivered(feed: string, rows: number, outcome: 'accepted' | 'duplicate'): void;
  /** What was waited since this was told last. */
  waited(feed: string, waits: Waits): void;
  /** An epoch's shard is being read here. */
  reading(feed: string, epoch: string, readTimestampMs: number): void;
  /** It is no more. */
  left(feed: string, epoch: string): void;
}

/** Makes the figures in OpenTelemetry's meter. */
export function feedMeter(meter: Meter, clock: () => number = Date.now): FeedMeter {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`penstock.feed.${name}`, { unit, description });
  const rows = counter('rows', '{row}', 'Rows whose batch was taken, each once');
  const batches = counter('batches', '{batch}', 'Batches that were answered for, by what they were');
  const waits = counter('wait', 's', 'Time of readers: waiting for Spanner, for credits, and on the CPU');
  const age = meter.createObservableGauge('penstock.feed.epoch.age', {
    unit: 's',
    description: 'Age of the read timestamp of the oldest epoch that is being read here',
  });
  const underWay = new Map<string, { feed: string; sinceMs: number; readers: number }>();
  age.addCallback((result) => {
    const oldest = new Map<string, number>();
    for (const { feed, sinceMs } of underWay.values()) {
      oldest.set(feed, Math.min(sinceMs, oldest.get(feed) ?? sinceMs));
    }
    for (const [feed, sinceMs] of oldest) result.observe((clock() - sinceMs) / 1_000, { feed });
  });
  return {
    delivered(feed, count, outcome) {
      batches.add(1, { feed, outcome });
      if (outcome === 'accepted') rows.add(count, { feed });
    },
    waited(feed, { spannerMs, trainerMs, cpuMs }) {
      waits.add(spannerMs / 1_000, { feed, for: 'spanner' });
      waits.add(trainerMs / 1_000, { feed, for: 'credits' });
      waits.add(cpuMs / 1_000, { feed, for: 'cpu' });
    },
    reading(feed, epoch, sinceMs) {
      const known = underWay.get(epoch);
      underWay.set(epoch, { feed, sinceMs, readers: (known?.readers ?? 0) + 1 });
    },
    left(feed, epoch) {
      const known = underWay.get(epoch);
      if (!known) return;
      if (known.readers > 1) underWay.set(epoch, { ...known, feed, readers: known.readers - 1 });
      else underWay.delete(epoch);
    },
  };
}
