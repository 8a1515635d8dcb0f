import type { Declaration, Pipeline } from '../../shared/model/config/declaration.ts';
import { ForbiddenSubscriptionError } from './forbidden-subscription.ts';

/**
 * The pipelines that a subscription feeds.
 *
 * A short name in the declaration means a subscription of our own project: a stranger's subscription of the same name
 * feeds nothing.
 *
 * @param subscription `projects/P/subscriptions/S`, as the envelope says
 * @param projectId ours
 * @throws {ForbiddenSubscriptionError} when no pipeline names it
 */
export function pipelinesOf(declaration: Declaration, subscription: string, projectId: string): readonly Pipeline[] {
  const pipelines = Object.values(declaration.pipelines).filter(({ source }) => {
    if (source.kind !== 'pubsub') return false;
    const declared = source.subscription;
    return subscription === (declared.includes('/') ? declared : `projects/${projectId}/subscriptions/${declared}`);
  });
  if (pipelines.length === 0) throw new ForbiddenSubscriptionError(subscription);
  return pipelines;
}
