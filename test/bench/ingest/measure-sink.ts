import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import type { Figures } from '../bench-result.ts';
import { cpuSeconds, peakRssMb } from '../process-meter.ts';
import { quantile } from '../statistics.ts';
import { topic } from './topic.ts';

const POLL_MS = 40;
const TIMEOUT_MS = 120_000;

/** One run of a sink over the whole topic. */
export interface SinkRun {
  /** What Node runs, with its arguments. */
  readonly command: readonly string[];
  /** The built `time-commits`. */
  readonly preload: string;
  readonly env: Readonly<Record<string, string>>;
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
  const child = spawn(process.execPath, ['--import', run.preload, ...run.command], {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none', BENCH_COMMITS: commits, ...run.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const pid = child.pid ?? -1;
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    printed = `${printed}${chunk}`.slice(-4_000);
  });
  const ended = new Promise((settle) => child.on('exit', settle));
  try {
    const from = await reach(admin, run.group, run.countFrom, pid);
    const to = await reach(admin, run.group, run.countTo, pid);
    const rssMb = peakRssMb(pid);
    child.kill('SIGTERM');
    await ended;
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
  } catch (error) {
    throw new Error(`A sink could not be measured; it printed:\n${printed}`, { cause: error });
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(commits, { force: true });
  }
}

/** Waits until the group stands at `rows` or above; the group's offsets follow the commits on both sides. */
async function reach(admin: Admin, groupId: string, rows: number, pid: number) {
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const done = found?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) ?? 0;
    if (done >= rows) return { rows: done, seconds: performance.now() / 1000, cpu: cpuSeconds(pid) };
    await sleep(POLL_MS);
  }
  throw new Error(`Group ${groupId} did not reach ${rows} rows within ${TIMEOUT_MS / 1000} s`);
}
