import type { Admin } from 'kafkajs';
import type { Figures } from '../bench-result.ts';
import { peakRssMb } from '../process-meter.ts';
import { reachRows } from './reach-rows.ts';
import { type SinkCommand, withSink } from './with-sink.ts';

/** The flights of the long run, and how often each comes. */
export const LONG_FLIGHTS = 200_000;
export const LONG_TIMES = 10;

export interface LongRun extends SinkCommand {
  readonly group: string;
  /** Holds `LONG_TIMES` × `LONG_FLIGHTS` events. */
  readonly topic: string;
}

/** The most memory that a sink has held after a tenth of two million events, and after all of them. */
export async function measureLongRun(admin: Admin, run: LongRun): Promise<Figures> {
  const { group, topic } = run;
  return await withSink(run, async ({ pid, lives, stop }) => {
    let rssAt200kMb = 0;
    for (let time = 1; time <= LONG_TIMES; time += 1) {
      await reachRows(admin, { group, topic, rows: time * LONG_FLIGHTS, lives });
      if (time === 1) rssAt200kMb = peakRssMb(pid);
    }
    const rssAt2mMb = peakRssMb(pid);
    await stop();
    return { rssAt200kMb, rssAt2mMb };
  });
}
