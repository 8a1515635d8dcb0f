import type { Authority } from '../../shared/connect/authority.ts';
import { isAction, readResource } from '../../shared/model/access/access-request.ts';
import type { Asker } from '../../shared/model/access/asker.ts';
import type { ApprovalView } from './view/approval-view.ts';

/** Whether policies would let a visitor say yes or no to a request; one whose name was cut for the page is not offered there. */
export function mayDecide(
  visitor: Asker,
  { action, resource }: Pick<ApprovalView, 'action' | 'resource'>,
  authority: Pick<Authority, 'wouldPermit'>,
): boolean {
  const named = readResource(resource);
  return named !== undefined && isAction(action) && authority.wouldPermit(visitor, 'approve', named, { act: action });
}
