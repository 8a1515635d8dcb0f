import { backoffMs, callJob } from './call-job.ts';
import type { Job, JobState } from './job-state.ts';
import { parseSchedule } from './schedule.ts';
import { waitUntil } from './wait-until.ts';

const DEFAULT_DEADLINE_MS = 180_000;

/** How a run ended. */
export interface RunResult {
  /** Of the last attempt; undefined when there was no answer. */
  readonly status: number | undefined;
  readonly attempts: number;
}

/** What a runner needs of the scheduler. */
export interface RunnerOptions {
  readonly now: () => number;
  /** Looks at the clock at least this often. */
  readonly maxSleepMs: number;
  readonly mintIdToken: (serviceAccount: string, audience: string) => Promise<string>;
  readonly state: () => JobState;
  /** Keeps what has changed. */
  readonly update: (changes: Partial<JobState>) => void;
}

/** The first tick after now and after the last one; milliseconds since 1970. */
export function nextTickMs({ job, createdAtMs, lastTickMs }: JobState, nowMs: number): number {
  const schedule = parseSchedule(job.schedule, { zone: job.zone, anchorMs: createdAtMs });
  return schedule.nextAfter(Math.max(nowMs, lastTickMs ?? 0));
}

/** Runs one job when it is due, one run at a time, until it is closed. A run that an earlier process began and did not end comes first. */
export class JobRunner {
  readonly #options: RunnerOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #isRunning = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#loop = this.#runWhenDue().catch((error) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Calls the job for a tick, with its retries. Must not be called while it runs. */
  async run(tickMs: number): Promise<RunResult> {
    this.#isRunning = true;
    try {
      this.#options.update({ lastTickMs: tickMs, isDone: false });
      const result = await this.#attempts(this.#options.state().job, tickMs);
      this.#options.update({ isDone: true, lastStatus: result.status ?? null });
      return result;
    } finally {
      this.#isRunning = false;
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #runWhenDue(): Promise<void> {
    const { isDone, lastTickMs } = this.#options.state();
    if (!isDone && lastTickMs !== null) await this.run(lastTickMs);
    for (;;) {
      const tickMs = nextTickMs(this.#options.state(), this.#options.now());
      await this.#waitUntil(tickMs);
      // Someone may have run it by hand, just now: then this tick is left out.
      if (!this.#isRunning) await this.run(tickMs);
    }
  }

  async #attempts(job: Job, tickMs: number): Promise<RunResult> {
    const maxAttempts = 1 + (job.retry?.retryCount ?? 0);
    for (let attempts = 1; ; attempts += 1) {
      const status = await this.#attempt(job, tickMs);
      this.#stop.signal.throwIfAborted();
      const isSuccess = status !== undefined && status >= 200 && status < 300;
      if (isSuccess || attempts === maxAttempts) return { status, attempts };
      await this.#waitUntil(this.#options.now() + backoffMs(job.retry ?? {}, attempts));
    }
  }

  async #attempt(job: Job, tickMs: number): Promise<number | undefined> {
    let token: string | undefined;
    try {
      token = job.oidc && (await this.#options.mintIdToken(job.oidc.serviceAccount, job.oidc.audience));
    } catch {
      return undefined;
    }
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), job.attemptDeadlineMs ?? DEFAULT_DEADLINE_MS);
    const signal = AbortSignal.any([this.#stop.signal, late.signal]);
    const status = await callJob({ name: job.name, tickMs, http: job.http, token, signal });
    clearTimeout(timer);
    return status;
  }

  async #waitUntil(atMs: number): Promise<void> {
    await waitUntil(atMs, { ...this.#options, signal: this.#stop.signal });
  }
}
