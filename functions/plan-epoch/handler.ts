import type { IncomingMessage, ServerResponse } from 'node:http';
import { BadRequestError, problemOf, sendProblem } from '../../shared/adapters/http/problem.ts';
import { type FunctionRequest, readJson } from '../../shared/adapters/http/read-json.ts';
import type { NoteRefusal } from '../../shared/adapters/identity/audit-refusals.ts';
import type { VerifyToken } from '../../shared/adapters/identity/verify-token.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { EpochTick } from '../../shared/model/epochs/epoch-id.ts';
import { readTraceparent, type TraceContext } from '../../shared/model/events/records/trace-context.ts';
import type { Principal } from '../../shared/model/identity/principal.ts';
import type { PlannedEpoch } from './plan-epoch.ts';

/** A feed's name, and room for what a scheduler may add. */
const MAX_BODY_BYTES = 64 * 1024;

/** What the handler acts with. */
export interface PlanDoor {
  readonly verify: VerifyToken;
  /** Plans, if policies let the caller; see `doGuarded`. */
  readonly plan: (
    caller: Principal,
    feed: string,
    tick: EpochTick,
    /** Of whoever asked. */
    origin?: TraceContext | undefined,
  ) => Promise<PlannedEpoch>;
  readonly nowMs: () => number;
}

/**
 * Answers `POST /` with `{"feed":…}`, or `POST /FEED`: 200 with the epoch's id, also when the same tick asks again.
 *
 * The tick is Cloud Scheduler's `X-CloudScheduler-ScheduleTime`, or an `Idempotency-Key`; a request with neither plans anew.
 *
 * @param open gives the door; called for each request, so that what is missing at start can come later
 */
export function planHandler(
  open: () => Promise<PlanDoor>,
  { log, refused }: { readonly log: Log; readonly refused: NoteRefusal },
) {
  return async (request: FunctionRequest, response: ServerResponse): Promise<void> => {
    try {
      const door = await open();
      const caller = await door.verify(request.headersDistinct.authorization);
      const feed = feedOf(await readJson(request, MAX_BODY_BYTES), request.url);
      const tick = {
        scheduleTime: header(request, 'x-cloudscheduler-scheduletime'),
        idempotencyKey: header(request, 'idempotency-key'),
        nowMs: door.nowMs(),
      };
      const origin = readTraceparent(header(request, 'traceparent') ?? '');
      const planned = await door.plan(caller, feed, tick, origin).catch((error: unknown) => {
        throw error instanceof RangeError ? new BadRequestError(error.message, 'Correct the header', error) : error;
      });
      const { epoch, manifest, shards, isNew } = planned;
      const { readTimestamp, planDigest, rowCount, rowCountIsEstimate } = manifest;
      log('INFO', isNew ? 'epoch planned' : 'epoch known', { epoch, shards: shards.length, rowCount });
      response.statusCode = 200;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          epoch,
          readTimestamp,
          planDigest,
          shards: shards.length,
          rows: rowCount,
          rowCountIsEstimate,
          isNew,
        }),
      );
    } catch (error) {
      const problem = problemOf(error);
      if (!refused(error) && problem.status >= 500) {
        log('ERROR', 'planning failed', { error: messageOf(error), code: problem.code });
      }
      sendProblem(response, problem);
    }
  };
}

function feedOf(body: unknown, url = '/'): string {
  const named: unknown = typeof body === 'object' && body !== null && 'feed' in body ? body.feed : undefined;
  const feed = named ?? decode(url.replace(/\?.*$/s, '').replace(/^.*\//s, ''));
  if (typeof feed === 'string' && feed !== '') return feed;
  throw new BadRequestError('The request names no feed', 'Send {"feed":"NAME"} as application/json, or POST /NAME');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadRequestError('The path is no UTF-8 when decoded', 'POST /NAME');
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
