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
