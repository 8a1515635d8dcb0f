import { type TraceContext, writeTraceparent } from '../../model/events/records/trace-context.ts';
import type { Waits } from './feed-meter.ts';
import type { Telemetry } from './telemetry.ts';

/** Which reading of which shard. */
export interface ReadingOf {
  readonly feed: string;
  readonly epoch: string;
  readonly shard: number;
  /** Milliseconds since 1970. */
  readonly readTimestampMs: number;
}

/** One reading of a shard, as figures and as a piece of its epoch's trace. */
export interface ReadingWatch {
  /** Begins the delivery of a batch. */
  batch(batch: { readonly sequence: number; readonly rows: number }): BatchWatch;
  /** @param waits of the whole reading so far */
  waited(waits: Waits): void;
  /** @param error what the reading failed with */
  end(outcome: string, error?: unknown): void;
}

/** One batch on its way. */
export interface BatchWatch {
  /** What the trainer is told, so that its steps are in the same trace. */
  readonly traceparent: string;
  taken(outcome: 'accepted' | 'duplicate'): void;
  failed(error: unknown): void;
}

/**
 * Begins to watch one reading of a shard.
 *
 * @param origin the trace of the plan, as the shard's message carries it
 */
export function watchReading(telemetry: Telemetry, of: ReadingOf, origin: TraceContext | undefined): ReadingWatch {
  const { feed, epoch, shard } = of;
  const span = telemetry.start('penstock.feed.shard', origin ? [origin] : [], {
    'penstock.feed': feed,
    'penstock.epoch': epoch,
    'penstock.shard': shard,
  });
  telemetry.feed.reading(feed, epoch, of.readTimestampMs);
  let told: Waits = { spannerMs: 0, trainerMs: 0, cpuMs: 0 };
  return {
    batch({ sequence, rows }) {
      const batch = span.child('penstock.feed.batch');
      batch.set({
        'penstock.epoch': epoch,
        'penstock.shard': shard,
        'penstock.sequence': sequence,
        'penstock.rows': rows,
      });
      return {
        traceparent: writeTraceparent(batch.context),
        taken(outcome) {
          telemetry.feed.delivered(feed, rows, outcome);
          batch.set({ 'penstock.outcome': outcome });
          batch.end();
        },
        failed: (error) => batch.end(error),
      };
    },
    waited(waits) {
      telemetry.feed.waited(feed, {
        spannerMs: Math.max(0, waits.spannerMs - told.spannerMs),
        trainerMs: Math.max(0, waits.trainerMs - told.trainerMs),
        cpuMs: Math.max(0, waits.cpuMs - told.cpuMs),
      });
      told = waits;
    },
    end(outcome, error) {
      telemetry.feed.left(feed, epoch);
      span.set({ 'penstock.outcome': outcome });
      span.end(error);
    },
  };
}
