import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import { peakRssMb } from './peak-rss.ts';
import type { Random } from './random.ts';
import type { SinkRig } from './sink-rig.ts';

/** Workers of kafka-sink that are killed and replaced. */
export interface WorkerCrew {
  readonly workers: readonly RunningFunction[];
  /** Kills so many of them with -9, chosen at random, and starts others in their place. */
  kill(count: number): void;
  /** Starts one more. */
  join(): void;
  /** Ends one with SIGTERM; its exit code must be 0. */
  leave(): Promise<void>;
  /** Most memory of any worker yet, in MB. */
  peakRssMb(): number;
  /** What ended without being told to, or with another code than it should. */
  readonly crashes: readonly string[];
  /** Kills all of them for good. */
  close(): void;
}

/** Starts workers on a rig. */
export function openWorkerCrew(rig: SinkRig, random: Random, size: number): WorkerCrew {
  const workers: RunningFunction[] = [];
  const told = new Set<RunningFunction>();
  const crashes: string[] = [];
  let peak = 0;
  const measure = (worker: RunningFunction): void => {
    peak = Math.max(peak, peakRssMb(worker.pid));
  };
  const start = (): void => {
    const worker = rig.startSink();
    workers.push(worker);
    void worker.ended.then((code) => {
      if (told.has(worker)) return;
      crashes.push(`a worker ended with ${code}: ${worker.lastLines().slice(-3).join(' ')}`);
      workers.splice(workers.indexOf(worker), 1);
      start();
    });
  };
  const take = (): RunningFunction | undefined => {
    const [worker] = workers.splice(random.between(0, workers.length), 1);
    if (worker) {
      told.add(worker);
      measure(worker);
    }
    return worker;
  };
  for (let count = 0; count < size; count++) start();
  return {
    workers,
    crashes,
    kill(count) {
      for (let killed = 0; killed < count; killed++) take()?.kill('SIGKILL');
      for (let started = 0; started < count; started++) start();
    },
    join: start,
    async leave() {
      const worker = take();
      if (!worker) return;
      await worker.stop();
      const code = await worker.ended;
      if (code !== 0) crashes.push(`a worker ended with ${code} after SIGTERM: ${worker.lastLines().at(-1)}`);
    },
    peakRssMb() {
      workers.forEach(measure);
      return peak;
    },
    close() {
      while (workers.length > 0) take()?.kill('SIGKILL');
    },
  };
}
