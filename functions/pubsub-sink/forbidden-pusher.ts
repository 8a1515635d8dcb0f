import { type KnownCaller, RefusedError } from '../../shared/base/refused-error.ts';

/** The push names a subscription of this pipeline, but comes with another account's token than its pushes do. */
export class ForbiddenPusherError extends RefusedError {
  constructor(pusher: KnownCaller, pipeline: string) {
    super(`${pusher.name} may not push to pipeline ${pipeline}`, {
      code: 'FORBIDDEN',
      remedy: 'Name it in the pipeline’s `pushedBy`, or give the subscription the account that is named there',
      reason: 'not the account of its subscription',
      caller: pusher,
    });
  }
}
