import { backoffMs, callJob, checkRetry } from './call-job.ts';
import { type Job, type JobState, openJobStates } from './job-state.ts';
import { parseSchedule } from './schedule.ts';
import { waitUntil } from './wait-until.ts';

const DEFAULT_DEADLINE_MS = 180_000;
const MAX_JOBS = 1000;
const MAX_SLEEP_MS = 60_000;
const INJECTED_CLOCK_POLL_MS = 10;

/** How a run ended. */
export interface RunResult {
  /** Of the last attempt; undefined when there was no answer. */
  readonly status: number | undefined;
  readonly attempts: number;
}

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

interface Running {
  readonly stop: AbortController;
  loop: Promise<void>;
  isRunning: boolean;
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
  const running = new Map<string, Running>();

  const stateOf = (name: string): JobState => {
    const state = states.get(name);
    if (state === undefined)
      throw new RangeError(`There is no job ${name}: the jobs are ${[...states.keys()].join(', ') || 'none'}`);
    return state;
  };
  const update = (name: string, changes: Partial<JobState>): void => {
    const state = states.get(name);
    if (state === undefined) return;
    states.set(name, { ...state, ...changes });
    save();
  };
  const nextTick = ({ job, createdAtMs, lastTickMs }: JobState): number =>
    parseSchedule(job.schedule, { zone: job.zone, anchorMs: createdAtMs }).nextAfter(Math.max(now(), lastTickMs ?? 0));

  const runTick = async (name: string, tickMs: number, signal: AbortSignal): Promise<RunResult> => {
    update(name, { lastTickMs: tickMs, isDone: false });
    const { job } = stateOf(name);
    const attempts = 1 + (job.retry?.retryCount ?? 0);
    let status: number | undefined;
    for (let attempt = 1; ; attempt += 1) {
      status = await attemptOnce(job, { tickMs, signal, mintIdToken: options.mintIdToken });
      signal.throwIfAborted();
      const isOver = isSuccess(status) || attempt === attempts;
      if (isOver) {
        update(name, { isDone: true, lastStatus: status ?? null });
        return { status, attempts: attempt };
      }
      await waitUntil(now() + backoffMs(job.retry ?? {}, attempt), { now, maxSleepMs, signal });
    }
  };

  const loop = async (name: string, self: Running): Promise<void> => {
    const { signal } = self.stop;
    const exclusively = async (tickMs: number): Promise<void> => {
      if (self.isRunning) return;
      self.isRunning = true;
      await runTick(name, tickMs, signal).finally(() => {
        self.isRunning = false;
      });
    };
    const { isDone, lastTickMs } = stateOf(name);
    if (!isDone && lastTickMs !== null) await exclusively(lastTickMs);
    for (;;) {
      const tickMs = nextTick(stateOf(name));
      await waitUntil(tickMs, { now, maxSleepMs, signal });
      await exclusively(tickMs);
    }
  };

  const start = (name: string): void => {
    const self: Running = { stop: new AbortController(), loop: Promise.resolve(), isRunning: false };
    running.set(name, self);
    self.loop = loop(name, self).catch((error) => {
      if (!self.stop.signal.aborted) throw error;
    });
  };
  const stop = (name: string): Promise<void> => {
    const self = running.get(name);
    running.delete(name);
    self?.stop.abort();
    return self?.loop ?? Promise.resolve();
  };

  for (const name of states.keys()) start(name);

  return {
    create(job) {
      checkJob(job, now());
      if (!states.has(job.name) && states.size >= MAX_JOBS)
        throw new RangeError(`There are ${MAX_JOBS} jobs already: delete one`);
      void stop(job.name);
      const fresh = { createdAtMs: now(), lastTickMs: null, isDone: true, lastStatus: null };
      states.set(job.name, { ...fresh, ...states.get(job.name), job });
      save();
      start(job.name);
    },
    list: () => [...states.values()].map((state) => ({ ...state, nextTickMs: nextTick(state) })),
    async run(name) {
      stateOf(name);
      const self = running.get(name);
      if (self === undefined || self.isRunning) throw new Error(`Job ${name} is running: wait for its end`);
      self.isRunning = true;
      try {
        return await runTick(name, now(), self.stop.signal);
      } finally {
        self.isRunning = false;
      }
    },
    delete(name) {
      stateOf(name);
      void stop(name);
      states.delete(name);
      save();
    },
    async close() {
      await Promise.all([...running.keys()].map(stop));
    },
  };
}

async function attemptOnce(
  job: Job,
  options: {
    tickMs: number;
    signal: AbortSignal;
    mintIdToken: (serviceAccount: string, audience: string) => Promise<string>;
  },
): Promise<number | undefined> {
  let token: string | undefined;
  try {
    token = job.oidc && (await options.mintIdToken(job.oidc.serviceAccount, job.oidc.audience));
  } catch {
    return undefined;
  }
  const deadline = AbortSignal.timeout(job.attemptDeadlineMs ?? DEFAULT_DEADLINE_MS);
  const signal = AbortSignal.any([options.signal, deadline]);
  return callJob({ name: job.name, tickMs: options.tickMs, http: job.http, token, signal });
}

function isSuccess(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

function checkJob(job: Job, nowMs: number): void {
  if (!/^[\w-]{1,500}$/.test(job.name))
    throw new RangeError(`Job name "${job.name}" is not made of letters, digits, - and _`);
  if (!URL.canParse(job.http.url) || !/^https?:$/.test(new URL(job.http.url).protocol)) {
    throw new RangeError(`Job ${job.name} calls "${job.http.url}", wanted an http or https URL`);
  }
  parseSchedule(job.schedule, { zone: job.zone, anchorMs: nowMs });
  checkRetry(job.retry ?? {});
}
