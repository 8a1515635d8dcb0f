import { setTimeout as sleep } from 'node:timers/promises';
import type { OnAttempt } from '../../base/audit.ts';
import { openDeadline } from '../../base/deadline.ts';
import { RegistryUnavailableError } from './registry-error.ts';

/**
 * Gives the value of the Authorization header; undefined for a registry that asks for none.
 *
 * @param fresh the last one was refused: ask for a newer one
 */
export type Authorize = (fresh: boolean) => Promise<string | undefined>;

/** How a registry is reached. */
export interface RegistryAddress {
  /** `https://host[/path]`, without credentials. */
  readonly url: string;
  readonly authorize: Authorize;
  readonly timeoutMs: number;
  /** Waits between attempts grow from this. */
  readonly firstDelayMs: number;
  readonly signal: AbortSignal;
  /** Is told of each request. */
  readonly onAttempt?: OnAttempt | undefined;
}

/** JSON's escapes can make a schema of 1 MiB this long. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_ATTEMPTS = 3;
const MAX_DELAY_MS = 5_000;
const ACCEPT = 'application/vnd.schemaregistry.v1+json, application/json';
/** Confluent's own codes: subject, version, schema not found. A plain 404 is an address that is no registry. */
const NOT_FOUND_CODES: readonly unknown[] = [40401, 40402, 40403];

/**
 * Asks for one path, with attempts anew while the registry is busy, and once with fresh credentials.
 *
 * @returns the parsed answer; `absent` when the registry says that it has no such thing; `too large` over 4 MiB
 * @throws {RegistryUnavailableError} for everything else
 */
export async function askRegistry(address: RegistryAddress, path: string): Promise<object | 'absent' | 'too large'> {
  let delayMs = address.firstDelayMs;
  let fresh = false;
  for (let attempt = 1; ; attempt++) {
    const answer = await attemptOnce(address, path, fresh);
    address.onAttempt?.({
      resource: `${address.url}${path}`,
      error: answer instanceof Refusal ? answer.cause : undefined,
    });
    if (!(answer instanceof Refusal)) return answer;
    const isDenied = answer.status === 401;
    if (attempt >= MAX_ATTEMPTS || address.signal.aborted || (isDenied ? fresh : !answer.retryable)) {
      throw new RegistryUnavailableError(path, { cause: answer.cause, retryAfterMs: answer.retryAfterMs });
    }
    if (isDenied) {
      fresh = true;
      continue;
    }
    await sleep(Math.min(MAX_DELAY_MS, answer.retryAfterMs ?? delayMs * (0.5 + Math.random())), undefined, {
      signal: address.signal,
    }).catch(() => {});
    delayMs *= 4;
  }
}

/** An answer that is none. */
class Refusal {
  readonly status: number;
  readonly cause: unknown;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, cause: unknown, retryAfterMs?: number) {
    this.status = status;
    this.cause = cause;
    this.retryAfterMs = retryAfterMs;
  }

  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

async function attemptOnce(
  { url, authorize, timeoutMs, signal }: RegistryAddress,
  path: string,
  fresh: boolean,
): Promise<object | 'absent' | 'too large' | Refusal> {
  try {
    const authorization = await authorize(fresh);
    using deadline = openDeadline(timeoutMs, signal);
    const response = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
      headers: { accept: ACCEPT, ...(authorization === undefined ? {} : { authorization }) },
      // Credentials are for this host alone.
      redirect: 'error',
      signal: deadline.signal,
    });
    const text = await readText(response);
    if (text === undefined) return response.ok ? 'too large' : refusalOf(response, 'an answer over 4 MiB');
    const body = parse(text);
    if (response.ok && body) return body;
    if (response.status === 404 && NOT_FOUND_CODES.includes(fieldOf(body, 'error_code'))) return 'absent';
    return refusalOf(response, response.ok ? 'no JSON' : String(fieldOf(body, 'message') ?? 'no reason'));
  } catch (error) {
    return new Refusal(0, error);
  }
}

function refusalOf({ status, headers }: Response, what: string): Refusal {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  return new Refusal(status, new Error(`It answered ${status}: ${what.slice(0, 200)}`), retryAfterMs);
}

async function readText(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    // Leaving the loop cancels the rest.
    if (bytes > MAX_ANSWER_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** An object's own field. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
