import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Admin } from 'kafkajs';
import type { Figures } from '../bench-result.ts';
import { cpuSeconds, peakRssMb } from '../process-meter.ts';
import { quantile } from '../statistics.ts';
import { reachRows } from './reach-rows.ts';
import { topic } from './topic.ts';
import { type SinkCommand, withSink } from './with-sink.ts';

/** One run of a sink over the whole topic. */
export interface SinkRun extends SinkCommand {
  /** The built `time-commits`. */
  readonly preload: string;
  readonly group: string;
  /** Events before this one warm the process up and do not count. */
  readonly countFrom: number;
  readonly countTo: number;
  readonly dir: string;
}

/**
 * Runs a sink until its group's offsets say that it is through, and measures it from outside, warm-up excluded.
 *
 * @throws {Error} with what it printed when it ends or is not through after two minutes
 */
export async function measureSink(admin: Admin, run: SinkRun): Promise<Figures> {
  const commits = join(run.dir, 'commits.json');
  const { group, command } = run;
  const nodeArgs = [...(run.nodeArgs ?? []), '--import', run.preload];
  const env = { BENCH_COMMITS: commits, ...run.env };
  return await withSink({ command, nodeArgs, env }, async ({ pid, lives, stop }) => {
    const standAt = async (wanted: number) => {
      const rows = await reachRows(admin, { group, topic, rows: wanted, lives });
      return { rows, seconds: performance.now() / 1000, cpu: cpuSeconds(pid) };
    };
    const from = await standAt(run.countFrom);
    const to = await standAt(run.countTo);
    const rssMb = peakRssMb(pid);
    await stop();
    const milliseconds: number[] = JSON.parse(readFileSync(commits, 'utf8'));
    const rows = to.rows - from.rows;
    return {
      rowsPerSecond: rows / (to.seconds - from.seconds),
      cpuSecondsPer1000Rows: (to.cpu - from.cpu) / (rows / 1000),
      rowsPerCpuSecond: rows / (to.cpu - from.cpu),
      rssMb,
      p50Ms: quantile(milliseconds, 0.5),
      p99Ms: quantile(milliseconds, 0.99),
      rowsPerCommit: run.countTo / milliseconds.length,
    };
  }).finally(() => rmSync(commits, { force: true }));
}
