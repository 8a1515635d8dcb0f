import type { ServerResponse } from 'node:http';
import { BadRequestError, problemOf, sendProblem } from '../../shared/adapters/http/problem.ts';
import { type FunctionRequest, readJson } from '../../shared/adapters/http/read-json.ts';
import type { NoteRefusal } from '../../shared/adapters/identity/audit-refusals.ts';
import type { VerifyToken } from '../../shared/adapters/identity/verify-token.ts';
import { requireSubscription } from '../../shared/adapters/pubsub/push-subscription.ts';
import { openDeadline } from '../../shared/base/deadline.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import { isEpochId } from '../../shared/model/epochs/epoch-id.ts';
import { readTraceparent, type TraceContext } from '../../shared/model/events/records/trace-context.ts';
import type { Principal } from '../../shared/model/identity/principal.ts';
import type { ShardOutcome } from './read-shard.ts';

const MAX_RETRY_AFTER_SECONDS = 60;
/** A job names an epoch and a number; the rest is Pub/Sub's envelope. */
const MAX_BODY_BYTES = 64 * 1024;
const SUBSCRIPTION_SETTING = 'PENSTOCK_SHARD_SUBSCRIPTION';

interface ShardJob {
  readonly epoch: string;
  readonly shard: number;
  /** The trace of the plan. */
  readonly origin: TraceContext | undefined;
}

/** What the handler acts with. */
export interface ReadDoor {
  /** `projects/P/subscriptions/S`, the only one whose messages are jobs. */
  readonly subscription: string;
  readonly verify: VerifyToken;
  readonly read: (
    epoch: string,
    shard: number,
    by: { signal: AbortSignal; caller: Principal; origin: TraceContext | undefined },
  ) => Promise<ShardOutcome>;
  /** Publishes the remainder of a shard as a new job. */
  readonly handOn: (epoch: string, shard: number, origin: TraceContext | undefined) => Promise<void>;
  /** Has what holds the epoch up shared out, once this reader is free; see `relieveEpoch`. */
  readonly relieve: (epoch: string, signal: AbortSignal, origin: TraceContext | undefined) => Promise<void>;
  readonly nowMs: () => number;
  /** A push that takes longer is handed on. */
  readonly deadlineMs: number;
  /** Aborted at SIGTERM. */
  readonly ending: AbortSignal;
}

/**
 * Answers a Pub/Sub push whose data is `{"epoch":…,"shard":n}`.
 *
 * 204: the shard is delivered, or its remainder is handed on, or it failed for good and that is recorded. 503: another reader
 * is at it, something it needs is down, or this instance ends; Pub/Sub sends the job again.
 *
 * @param open gives the door; called for each request, so that what is missing at start can come later
 */
export function readHandler(
  open: () => Promise<ReadDoor>,
  { log, refused }: { readonly log: Log; readonly refused: NoteRefusal },
) {
  return async (request: FunctionRequest, response: ServerResponse): Promise<void> => {
    try {
      const door = await open();
      const caller = await door.verify(request.headersDistinct.authorization);
      const body = await readJson(request, MAX_BODY_BYTES);
      const { subscription } = door;
      requireSubscription(fieldOf(body, 'subscription'), { subscription, setting: SUBSCRIPTION_SETTING, caller });
      const { epoch, shard, origin } = jobOf(body);
      using deadline = openDeadline(door.deadlineMs, door.ending);
      const { signal } = deadline;
      const outcome = await door.read(epoch, shard, { signal, caller, origin }).catch((error: unknown) => {
        if (signal.aborted && error === signal.reason) throw waitedInVain(epoch, shard);
        throw error;
      });
      log('INFO', `shard ${outcome.status}`, { epoch, shard, ...outcome });
      await answer(response, outcome, { epoch, shard, origin }, { ...door, signal });
    } catch (error) {
      if (refused(error)) sendProblem(response, problemOf(error));
      else fail(response, error, log);
    }
  };
}

async function answer(
  response: ServerResponse,
  outcome: ShardOutcome,
  { epoch, shard, origin }: ShardJob,
  door: ReadDoor & { readonly signal: AbortSignal },
): Promise<void> {
  if (outcome.status === 'leased') {
    const seconds = Math.ceil((outcome.expiresAtMs - door.nowMs()) / 1000);
    const retryAfterSeconds = Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, seconds));
    return sendProblem(response, later('LEASED', 'Another reader is at this shard', retryAfterSeconds));
  }
  if (outcome.status === 'stopped') {
    if (door.ending.aborted) return sendProblem(response, later('ENDING', 'This instance is shutting down', 1));
    await door.handOn(epoch, shard, origin);
  } else {
    await door.relieve(epoch, door.signal, origin).catch((error: unknown) => {
      // Without time for it the next reader that is free does it.
      if (!door.signal.aborted) throw error;
    });
  }
  response.statusCode = 204;
  response.end();
}

/** The time ran out before the shard was begun: nothing to hand on, Pub/Sub sends it again. */
function waitedInVain(epoch: string, shard: number): PenstockError {
  return new PenstockError(`Shard ${shard} of ${epoch} waited for its turn until the deadline`, {
    code: 'NO_SLOT',
    remedy: 'Allow more instances, or more shards at once (PENSTOCK_SHARD_CONCURRENCY)',
    retryable: true,
  });
}

function later(code: string, detail: string, retryAfterSeconds: number) {
  return { status: 503, title: 'Try again', detail, code, remedy: 'Send the job again', retryAfterSeconds };
}

function fail(response: ServerResponse, error: unknown, log: Log): void {
  const problem = problemOf(error);
  if (problem.status >= 500) log('ERROR', 'reading failed', { error: messageOf(error), code: problem.code });
  if (problem.status === 500 && error instanceof PenstockError && error.code !== 'CONFIG') {
    // It is recorded with the shard; the same job again would only fail again.
    response.statusCode = 204;
    response.end();
    return;
  }
  sendProblem(response, problem);
}

function jobOf(body: unknown): ShardJob {
  const message = fieldOf(body, 'message');
  const data = fieldOf(message, 'data');
  if (typeof data !== 'string') throw badJob('it carries no message with data');
  const job = parse(Buffer.from(data, 'base64').toString());
  const epoch = fieldOf(job, 'epoch');
  const shard = fieldOf(job, 'shard');
  if (typeof epoch !== 'string' || !isEpochId(epoch)) throw badJob('it names no epoch');
  if (typeof shard !== 'number' || !Number.isSafeInteger(shard) || shard < 0) throw badJob('it names no shard');
  const traceparent = fieldOf(fieldOf(message, 'attributes'), 'traceparent');
  return { epoch, shard, origin: readTraceparent(typeof traceparent === 'string' ? traceparent : '') };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badJob('its data is no JSON');
  }
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function badJob(problem: string): BadRequestError {
  return new BadRequestError(
    `The push is no shard job: ${problem}`,
    'Send what Pub/Sub pushes, with {"epoch":"ID","shard":0} as its data',
  );
}
