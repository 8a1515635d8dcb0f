import type { AccessRequest, Decision } from './access-request.ts';

/** What came of a request; `needs approval`: somebody else's yes would make it `allow`. */
export type Answer = 'allow' | 'deny' | 'needs approval';

/**
 * Decides, and when it is denied, whether an approval would change that.
 *
 * @param decide the policies' decision of a request
 */
export function answerOf(
  request: AccessRequest,
  decide: (request: AccessRequest) => Decision,
): { readonly answer: Answer; readonly decision: Decision } {
  const decision = decide(request);
  if (decision.allowed) return { answer: 'allow', decision };
  if (request.circumstances.approved) return { answer: 'deny', decision };
  const circumstances = { ...request.circumstances, approved: true };
  const isCurable = decide({ ...request, circumstances }).allowed;
  return { answer: isCurable ? 'needs approval' : 'deny', decision };
}
