import type { TraceContext } from '../../model/events/records/trace-context.ts';
import type { FeedMeter } from './feed-meter.ts';
import type { IngestMeter } from './ingest-meter.ts';
import type { SecretMeter } from './secret-meter.ts';

/** A piece of work in a trace. */
export interface WorkSpan {
  readonly context: TraceContext;
  /** A piece of this work. */
  child(name: string): WorkSpan;
  set(attributes: Readonly<Record<string, string | number | boolean>>): void;
  /** @param error what the work failed with; undefined when it is done */
  end(error?: unknown): void;
}

/** Figures and traces of one process, on their way to an OTLP receiver. */
export interface Telemetry {
  readonly meter: IngestMeter;
  readonly feed: FeedMeter;
  readonly secret: SecretMeter;
  /**
   * Begins a piece of work.
   *
   * @param origins the traces that it goes on with: one is its parent, several are linked
   */
  start(
    name: string,
    origins: readonly TraceContext[],
    attributes: Readonly<Record<string, string | number | boolean>>,
  ): WorkSpan;
  /** Sends what there is now, for who may be frozen until its next request. Takes at most a few seconds, and never throws. */
  flush(): Promise<void>;
  /** Sends what is left. Takes at most a few seconds, and never throws. */
  close(): Promise<void>;
}
