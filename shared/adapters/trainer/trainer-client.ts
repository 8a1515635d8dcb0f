import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { maxBatchBytes } from '../../base/limits.ts';
import type { BatchPlace, Delivery } from '../../model/epochs/delivery.ts';
import { mediaTypes } from '../../model/tensors/batch-format.ts';
import { sendRequest } from './send-request.ts';
import { NoTokenError, TrainerRefusedError, TrainerUnavailableError } from './trainer-error.ts';

const REQUEST_TIMEOUT_MS = 30_000;
/** Tries in a row without an answer of the trainer. */
const MAX_SILENT_TRIES = 6;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 60_000;
/** Without credits: how long until the next batch is offered. */
const NO_CREDITS_PAUSE_MS = 250;
const MAX_DETAIL_CHARACTERS = 500;

/** A training service that takes an epoch's batches: as many are sent at a time as there are credits. */
export interface TrainerClient extends Delivery {
  putBatch(place: BatchPlace, body: Buffer): Promise<'accepted' | 'duplicate'>;
}

export interface TrainerOptions {
  readonly url: string;
  /** Of the batches; safetensors unless given. */
  readonly mediaType?: string;
  /** @returns `Bearer …` */
  readonly authorization: () => Promise<string>;
  /** Ends waiting for credits, for `Retry-After` and between tries; a request that was sent is waited for. */
  readonly signal: AbortSignal;
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface Request {
  readonly method: 'PUT' | 'POST';
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly traceparent?: string | undefined;
}

/**
 * Makes a client of the trainer's contract, for one shard.
 *
 * 429 and 503 are obeyed: the request is sent again after `Retry-After`. A batch without credits waits.
 *
 * @throws {TrainerUnavailableError} from each call, when the trainer gave no answer in 6 tries
 * @throws {TrainerRefusedError} from each call, for any other answer
 */
export function trainerClient(options: TrainerOptions): TrainerClient {
  const pace = pacing((ms) => pauseFor(ms, options), options.signal);
  const batchType = options.mediaType ?? mediaTypes.safetensors;
  const send = (request: Request) => sendObediently(request, options);
  const json = (method: 'PUT' | 'POST', path: string, body: object) =>
    send({ method, path, type: 'application/json', body: Buffer.from(JSON.stringify(body)) });
  return {
    async announce(epoch, announcement) {
      await json('PUT', epochPath(epoch), announcement);
    },
    async putBatch({ epoch, shard, sequence, traceparent }, body) {
      if (body.length > maxBatchBytes) throw tooLarge(epoch, shard, sequence, body.length);
      const path = `${epochPath(epoch)}/shards/${shard}/batches/${sequence}`;
      const answer = await pace(async () => {
        const given = await send({ method: 'PUT', path, type: batchType, body, traceparent });
        const credits = fieldOf(given, 'credits');
        return { credits: typeof credits === 'number' ? credits : 1, status: fieldOf(given, 'status') };
      });
      const { status } = answer;
      if (status !== 'accepted' && status !== 'duplicate') {
        throw new TrainerRefusedError(path, 200, `status ${JSON.stringify(status)} is neither accepted nor duplicate`);
      }
      return status;
    },
    async endShard(epoch, shard, counts) {
      await json('POST', `${epochPath(epoch)}/shards/${shard}/end`, counts);
    },
    async endEpoch(epoch) {
      await json('POST', `${epochPath(epoch)}/end`, {});
    },
  };
}

/**
 * Lets as many batches be under way as the last answer gave credits for, and at least one: after a pause where there were
 * none, since only an answer can bring new ones.
 */
function pacing(pause: (ms: number) => Promise<void>, signal: AbortSignal) {
  let credits = 1;
  let underWay = 0;
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const go of waiting.splice(0)) go();
  };
  return async <T extends { readonly credits: number }>(send: () => Promise<T>): Promise<T> => {
    while (underWay > 0 && underWay >= credits) {
      await new Promise<void>((resolve) => waiting.push(resolve));
      signal.throwIfAborted();
    }
    underWay += 1;
    try {
      if (credits <= 0) await pause(NO_CREDITS_PAUSE_MS);
      const answer = await send();
      credits = answer.credits;
      return answer;
    } finally {
      underWay -= 1;
      wake();
    }
  };
}

function epochPath(epoch: string): string {
  return `/v1/epochs/${encodeURIComponent(epoch)}`;
}

async function sendObediently(request: Request, options: TrainerOptions): Promise<unknown> {
  for (let silent = 0; ; ) {
    const answer = await sendOnce(request, options).catch((error: unknown) => {
      if (error instanceof NoTokenError) throw error;
      silent += 1;
      if (silent >= MAX_SILENT_TRIES) throw new TrainerUnavailableError(options.url, error);
      return undefined;
    });
    if (answer === undefined) {
      await pauseFor(FIRST_PAUSE_MS * 2 ** silent * (0.5 + Math.random()), options);
      continue;
    }
    silent = 0;
    if (answer.status === 429 || answer.status === 503) {
      await pauseFor(retryAfterMs(answer.retryAfter), options);
      continue;
    }
    if (answer.status >= 200 && answer.status < 300) return parse(answer.text);
    throw new TrainerRefusedError(request.path, answer.status, answer.text.slice(0, MAX_DETAIL_CHARACTERS));
  }
}

async function sendOnce(request: Request, { url, authorization }: TrainerOptions) {
  const header = await authorization().catch((cause: unknown) => {
    throw new NoTokenError(url, cause);
  });
  const { method, path, type, body, traceparent } = request;
  return await sendRequest({
    method,
    url: new URL(`${url.replace(/\/$/, '')}${path}`),
    headers: {
      authorization: header,
      'content-type': type,
      'content-digest': `sha-256=:${hash('sha256', body, 'base64')}:`,
      ...(traceparent !== undefined && { traceparent }),
    },
    body,
    timeoutMs: REQUEST_TIMEOUT_MS,
  });
}

/** Seconds, or a date; a second when it says neither. */
function retryAfterMs(header: string | undefined): number {
  const seconds = Number(header ?? '1');
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const until = Date.parse(header ?? '');
  return Number.isNaN(until) ? 1000 : Math.max(0, until - Date.now());
}

async function pauseFor(ms: number, { signal, pause }: TrainerOptions): Promise<void> {
  signal.throwIfAborted();
  const bounded = Math.min(ms, MAX_PAUSE_MS);
  await (pause ? pause(bounded, signal) : sleep(bounded, undefined, { signal }));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function tooLarge(epoch: string, shard: number, sequence: number, bytes: number): TrainerRefusedError {
  return new TrainerRefusedError(
    `${epochPath(epoch)}/shards/${shard}/batches/${sequence}`,
    413,
    `the batch has ${bytes} bytes, more than ${maxBatchBytes}: declare fewer batchRows`,
  );
}
