import { checkRetry } from './call-job.ts';
import { JobRunner, nextTickMs, type RunResult } from './job-runner.ts';
import { type Job, type JobState, openJobStates } from './job-state.ts';
import { parseSchedule } from './schedule.ts';

const MAX_JOBS = 1000;
const MAX_SLEEP_MS = 60_000;
const INJECTED_CLOCK_POLL_MS = 10;

/** Calls HTTP functions when they are due. */
export interface Scheduler {
  /** Adds a job, or replaces the one of that name and keeps its last tick. @throws {RangeError} for a job that could never run */
  create(job: Job): void;
  list(): (JobState & { readonly nextTickMs: number })[];
  /** Runs a job now, with the present as its tick; refuses while it runs. */
  run(name: string): Promise<RunResult>;
  delete(name: string): void;
  close(): Promise<void>;
}

/**
 * Starts the laptop's Cloud Scheduler, with the jobs it had before.
 *
 * One run of a job at a time: ticks that come due meanwhile, or while the scheduler is closed, are left out. A run that was cut off by
 * the end of the process is made again with the same tick.
 *
 * @param options.dir where jobs and their last ticks are kept; in memory when left out
 * @param options.now the time in milliseconds since 1970; jobs follow it, also when it jumps
 * @param options.mintIdToken makes the tokens of jobs with `oidc`
 */
export function openScheduler(options: {
  dir?: string;
  now?: () => number;
  mintIdToken: (serviceAccount: string, audience: string) => Promise<string>;
}): Scheduler {
  const now = options.now ?? Date.now;
  const maxSleepMs = options.now ? INJECTED_CLOCK_POLL_MS : MAX_SLEEP_MS;
  const { states, save } = openJobStates(options.dir);
  const runners = new Map<string, JobRunner>();

  const stateOf = (name: string): JobState => {
    const state = states.get(name);
    if (state) return state;
    throw new RangeError(`There is no job ${name}: the jobs are ${[...states.keys()].join(', ') || 'none'}`);
  };
  const put = (state: JobState): void => {
    states.set(state.job.name, state);
    save();
  };
  const start = (name: string): void => {
    const runner: JobRunner = new JobRunner({
      now,
      maxSleepMs,
      mintIdToken: options.mintIdToken,
      state: () => stateOf(name),
      update: (changes) => put({ ...stateOf(name), ...changes }),
    });
    runners.set(name, runner);
  };
  const stop = async (name: string): Promise<void> => {
    const runner = runners.get(name);
    runners.delete(name);
    await runner?.close();
  };

  for (const name of states.keys()) start(name);
  return {
    create(job) {
      checkJob(job, now());
      const current = states.get(job.name);
      if (!current && states.size >= MAX_JOBS) throw new RangeError(`There are ${MAX_JOBS} jobs already: delete one`);
      void stop(job.name);
      put({ createdAtMs: now(), lastTickMs: null, isDone: true, lastStatus: null, ...current, job });
      start(job.name);
    },
    list: () => [...states.values()].map((state) => ({ ...state, nextTickMs: nextTickMs(state, now()) })),
    async run(name) {
      stateOf(name);
      const runner = runners.get(name);
      if (!runner || runner.isRunning) throw new Error(`Job ${name} is running: wait for its end`);
      return runner.run(now());
    },
    delete(name) {
      stateOf(name);
      void stop(name);
      states.delete(name);
      save();
    },
    async close() {
      await Promise.all([...runners.keys()].map(stop));
    },
  };
}

function checkJob(job: Job, nowMs: number): void {
  if (!/^[\w-]{1,500}$/.test(job.name)) {
    throw new RangeError(`Job name "${job.name}" is not made of letters, digits, - and _`);
  }
  if (!URL.canParse(job.http.url) || !/^https?:$/.test(new URL(job.http.url).protocol)) {
    throw new RangeError(`Job ${job.name} calls "${job.http.url}", wanted an http or https URL`);
  }
  parseSchedule(job.schedule, { zone: job.zone, anchorMs: nowMs });
  checkRetry(job.retry ?? {});
}
