import { PenstockError } from '../../shared/base/errors.ts';

/** The message comes from a subscription that no pipeline names. */
export class ForbiddenSubscriptionError extends PenstockError {
  constructor(subscription: string) {
    super(`No pipeline reads ${subscription.slice(0, 300)}`, {
      code: 'FORBIDDEN',
      remedy: 'Declare a pipeline with this subscription, or point the subscription elsewhere',
      retryable: false,
    });
  }
}

/** The push names a subscription of this pipeline, but comes with another account's token than its pushes do. */
export class ForbiddenPusherError extends PenstockError {
  constructor(pusher: string, pipeline: string) {
    super(`${pusher} may not push to pipeline ${pipeline}`, {
      code: 'FORBIDDEN',
      remedy: 'Name it in the pipeline’s `pushedBy`, or give the subscription the account that is named there',
      retryable: false,
    });
  }
}
