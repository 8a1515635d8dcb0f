/** What a job calls. */
export interface HttpTarget {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Cloud Scheduler's retry settings; what is left out has its defaults. */
export interface RetrySettings {
  /** After the first attempt; 0 unless given, at most 5. */
  readonly retryCount?: number;
  /** 5,000 unless given. */
  readonly minBackoffMs?: number;
  /** 3,600,000 unless given. */
  readonly maxBackoffMs?: number;
  /** How often the backoff doubles before it grows evenly; 5 unless given. */
  readonly maxDoublings?: number;
}

const MAX_RETRIES = 5;
const DEFAULT_MIN_BACKOFF_MS = 5_000;
const DEFAULT_MAX_BACKOFF_MS = 3_600_000;
const DEFAULT_DOUBLINGS = 5;

export function checkRetry(retry: RetrySettings): void {
  const { retryCount = 0 } = retry;
  if (!Number.isInteger(retryCount) || retryCount < 0 || retryCount > MAX_RETRIES) {
    throw new RangeError(`retryCount is ${retryCount}, wanted 0 to ${MAX_RETRIES}`);
  }
  for (const [name, value] of Object.entries(retry)) {
    if (value !== undefined && !(value >= 0)) throw new RangeError(`${name} is ${value}, wanted 0 or more`);
  }
}

/** How long to wait before retry 1, 2, …; in milliseconds. */
export function backoffMs(retry: RetrySettings, attempt: number): number {
  const { minBackoffMs = DEFAULT_MIN_BACKOFF_MS, maxBackoffMs = DEFAULT_MAX_BACKOFF_MS } = retry;
  const { maxDoublings = DEFAULT_DOUBLINGS } = retry;
  const doublings = Math.min(attempt - 1, maxDoublings);
  const evenSteps = attempt - 1 - doublings;
  return Math.min(maxBackoffMs, minBackoffMs * 2 ** doublings * (evenSteps + 1));
}

/**
 * Calls a job's target once, with Cloud Scheduler's headers.
 *
 * Source: https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget
 *
 * @returns the status; undefined when there was no answer in time
 */
export async function callJob(call: {
  name: string;
  tickMs: number;
  http: HttpTarget;
  token: string | undefined;
  signal: AbortSignal;
}): Promise<number | undefined> {
  const { http } = call;
  try {
    const response = await fetch(http.url, {
      method: http.method,
      redirect: 'manual',
      signal: call.signal,
      ...(http.body !== undefined && { body: http.body }),
      headers: headersOf(call),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}

function headersOf(call: { name: string; tickMs: number; http: HttpTarget; token: string | undefined }): Headers {
  const headers = new Headers(call.http.body === undefined ? {} : { 'Content-Type': 'application/octet-stream' });
  for (const [name, value] of Object.entries(call.http.headers ?? {})) headers.set(name, value);
  // Calls are rare: a connection kept open would only outlive the scheduler.
  headers.set('Connection', 'close');
  headers.set('User-Agent', 'Google-Cloud-Scheduler');
  headers.set('X-CloudScheduler', 'true');
  headers.set('X-CloudScheduler-JobName', call.name);
  headers.set('X-CloudScheduler-ScheduleTime', new Date(call.tickMs).toISOString().replace('.000Z', 'Z'));
  if (call.token !== undefined) headers.set('Authorization', `Bearer ${call.token}`);
  return headers;
}
