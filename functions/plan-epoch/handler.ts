import type { IncomingMessage, ServerResponse } from 'node:http';
import { BadRequestError, problemOf, sendProblem } from '../../shared/adapters/http/problem.ts';
import { messageOf } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import type { EpochTick } from '../../shared/model/epochs/epoch-id.ts';
import type { PlannedEpoch } from './plan-epoch.ts';

/** A request as the functions framework gives it, with its body parsed. */
export interface PlanRequest extends IncomingMessage {
  readonly body?: unknown;
}

/** What the handler acts with. */
export interface PlanDoor {
  readonly verify: (authorization: string | undefined) => Promise<unknown>;
  readonly plan: (feed: string, tick: EpochTick) => Promise<PlannedEpoch>;
  readonly nowMs: () => number;
  readonly log: Log;
}

/**
 * Answers `POST /` with `{"feed":…}`, or `POST /FEED`: 200 with the epoch's id, also when the same tick asks again.
 *
 * The tick is Cloud Scheduler's `X-CloudScheduler-ScheduleTime`, or an `Idempotency-Key`; a request with neither plans anew.
 */
export function planHandler(door: PlanDoor): (request: PlanRequest, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    try {
      await door.verify(request.headers.authorization);
      if (request.method !== 'POST') throw new BadRequestError(`${request.method} plans nothing`, 'Send POST');
      const tick = {
        scheduleTime: header(request, 'x-cloudscheduler-scheduletime'),
        idempotencyKey: header(request, 'idempotency-key'),
        nowMs: door.nowMs(),
      };
      const planned = await door.plan(feedOf(request), tick).catch((error: unknown) => {
        throw error instanceof RangeError ? new BadRequestError(error.message, 'Correct the header', error) : error;
      });
      const { epoch, manifest, shards, isNew } = planned;
      const { readTimestamp, planDigest, rowCount } = manifest;
      door.log('INFO', isNew ? 'epoch planned' : 'epoch known', { epoch, shards: shards.length, rowCount });
      response.statusCode = 200;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ epoch, readTimestamp, planDigest, shards: shards.length, rows: rowCount, isNew }));
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status >= 500) door.log('ERROR', 'planning failed', { error: messageOf(error), code: problem.code });
      sendProblem(response, problem);
    }
  };
}

function feedOf(request: PlanRequest): string {
  const { body } = request;
  const named: unknown = typeof body === 'object' && body !== null && 'feed' in body ? body.feed : undefined;
  const inPath = decodeURIComponent((request.url ?? '/').replace(/\?.*$/s, '').replace(/^.*\//s, ''));
  const feed = named ?? inPath;
  if (typeof feed === 'string' && feed !== '') return feed;
  throw new BadRequestError('The request names no feed', 'Send {"feed":"NAME"} as application/json, or POST /NAME');
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
