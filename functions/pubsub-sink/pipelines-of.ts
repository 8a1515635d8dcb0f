import {
  ForbiddenSubscriptionError,
  showSubscription,
  subscriptionPath,
} from '../../shared/adapters/pubsub/push-subscription.ts';
import type { Declaration, Pipeline } from '../../shared/model/config/declaration.ts';
import type { Principal } from '../../shared/model/identity/principal.ts';
import { ForbiddenPusherError } from './forbidden-pusher.ts';

/**
 * The pipelines that a subscription feeds.
 *
 * A short name in the declaration means a subscription of our own project: a stranger's subscription of the same name
 * feeds nothing.
 *
 * What the envelope says is the pusher's word: a subscription that passes payloads on unwrapped carries an envelope of whoever
 * published to its topic. So a pipeline may say whose pushes it takes.
 *
 * @param push.subscription `projects/P/subscriptions/S`, as the envelope says
 * @param push.projectId ours
 * @param push.pusher whose token came with it
 * @throws {ForbiddenSubscriptionError} when no pipeline names it
 * @throws {ForbiddenPusherError} when the pipeline takes pushes of another account
 */
export function pipelinesOf(
  declaration: Declaration,
  {
    subscription,
    projectId,
    pusher,
  }: {
    readonly subscription: string;
    readonly projectId: string;
    readonly pusher: Pick<Principal, 'email' | 'name' | 'issuer' | 'subject'>;
  },
): readonly Pipeline[] {
  const pipelines = Object.values(declaration.pipelines).filter(({ source }) => {
    if (source.kind !== 'pubsub') return false;
    return subscription === subscriptionPath(source.subscription, projectId);
  });
  if (pipelines.length === 0) {
    throw new ForbiddenSubscriptionError(
      `No pipeline reads ${showSubscription(subscription)}`,
      'Declare a pipeline with this subscription, or point the subscription elsewhere',
      pusher,
    );
  }
  for (const { name, source } of pipelines) {
    if (source.kind === 'pubsub' && source.pushedBy !== undefined && source.pushedBy !== pusher.email) {
      throw new ForbiddenPusherError(pusher, name);
    }
  }
  return pipelines;
}
