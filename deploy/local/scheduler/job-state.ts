import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HttpTarget, RetrySettings } from './call-job.ts';

/** What is run, when and how. */
export interface Job {
  /** Letters, digits, `-` and `_`. */
  readonly name: string;
  /** `every 24h`, `every 30s`, or a cron expression with five fields. */
  readonly schedule: string;
  /** IANA zone of a cron expression; UTC when left out. */
  readonly zone?: string;
  readonly http: HttpTarget;
  /** The identity that calls; without it the call carries no token. */
  readonly oidc?: { readonly serviceAccount: string; readonly audience: string };
  readonly retry?: RetrySettings;
  /** 180,000 unless given. */
  readonly attemptDeadlineMs?: number;
}

/** A job and how far it is. */
export interface JobState {
  readonly job: Job;
  readonly createdAtMs: number;
  /** The tick that ran last, or runs now. */
  readonly lastTickMs: number | null;
  /** False from a run's start to its end, so that a run that was cut off is made again. */
  readonly isDone: boolean;
  /** Of the last attempt; null when there was no answer. */
  readonly lastStatus: number | null;
}

/** The states by job name, in a file that is replaced with every change. */
export function openJobStates(dir: string | undefined): { states: Map<string, JobState>; save(): void } {
  if (dir === undefined) return { states: new Map(), save() {} };
  const path = join(dir, 'scheduler.json');
  const states = new Map(readStates(path).map((state) => [state.job.name, state]));
  mkdirSync(dir, { recursive: true });
  return {
    states,
    save() {
      writeFileSync(`${path}.next`, JSON.stringify([...states.values()]));
      renameSync(`${path}.next`, path);
    },
  };
}

function readStates(path: string): JobState[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new Error(`Cannot read the jobs in ${path}: delete the file to start without any`, { cause: error });
  }
}
