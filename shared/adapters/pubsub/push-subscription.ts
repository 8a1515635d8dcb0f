import { PenstockError } from '../../base/errors.ts';
import { type KnownCaller, RefusedError } from '../../base/refused-error.ts';

const MAX_SHOWN_CHARACTERS = 300;

/** A push comes from a subscription that this function does not serve. */
export class ForbiddenSubscriptionError extends RefusedError {
  constructor(message: string, remedy: string, caller: KnownCaller) {
    super(message, { code: 'FORBIDDEN', remedy, reason: 'subscription not served', caller });
  }
}

/** `projects/P/subscriptions/S`; a short name is one of our own project. */
export function subscriptionPath(name: string, projectId: string): string {
  return name.includes('/') ? name : `projects/${projectId}/subscriptions/${name}`;
}

/** A name that came with a push, in a message. */
export function showSubscription(name: string): string {
  return name.slice(0, MAX_SHOWN_CHARACTERS);
}

/**
 * Takes the pushes of one subscription alone: the pusher's account may push for others too, and what they carry may look the same.
 *
 * @param named what the envelope says
 * @param expected.setting where the subscription is set, for the remedy
 * @throws {ForbiddenSubscriptionError} when it is another one
 * @throws {PenstockError} with code `BAD_REQUEST` when it names none
 */
export function requireSubscription(
  named: unknown,
  {
    subscription,
    setting,
    caller,
  }: { readonly subscription: string; readonly setting: string; readonly caller: KnownCaller },
): void {
  if (named === subscription) return;
  const remedy = `Name the subscription in ${setting}, or point it elsewhere`;
  const takes = `This function takes the pushes of ${subscription}`;
  if (typeof named === 'string') {
    throw new ForbiddenSubscriptionError(`${takes}, and this one names ${showSubscription(named)}`, remedy, caller);
  }
  const message = `${takes}, and this one names no subscription`;
  throw new PenstockError(message, { code: 'BAD_REQUEST', remedy, retryable: false });
}
