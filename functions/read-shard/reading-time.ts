import type { Clock } from '../../shared/base/clock.ts';

/** Where a reader's time went, in milliseconds. */
export interface ReadingTime {
  readonly totalMs: number;
  /** Waiting for rows, decoding them included. */
  readonly spannerMs: number;
  /** Waiting until the trainer had taken batches: for credits, `Retry-After` and its answers. */
  readonly trainerMs: number;
  /** CPU of the thread, which shards that are read at once share. */
  readonly cpuMs: number;
}

/** Measures one reader's waiting. */
export interface ReadingStopwatch {
  /** Passes on what `source` gives; its time counts as Spanner's. */
  rows<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined>;
  /** Passes on what `wait` gives; its time counts as the trainer's. */
  trainer<T>(wait: Promise<T>): Promise<T>;
  time(): ReadingTime;
}

export function readingStopwatch(clock: Clock): ReadingStopwatch {
  const startedAt = clock();
  const cpuAtStart = process.threadCpuUsage();
  let spannerMs = 0;
  let trainerMs = 0;
  return {
    async *rows(source) {
      let from = clock();
      for await (const item of source) {
        spannerMs += clock() - from;
        yield item;
        from = clock();
      }
      spannerMs += clock() - from;
    },
    async trainer(wait) {
      const from = clock();
      try {
        return await wait;
      } finally {
        trainerMs += clock() - from;
      }
    },
    time() {
      const { user, system } = process.threadCpuUsage(cpuAtStart);
      const cpuMs = Math.round((user + system) / 1_000);
      return { totalMs: clock() - startedAt, spannerMs, trainerMs, cpuMs };
    },
  };
}
