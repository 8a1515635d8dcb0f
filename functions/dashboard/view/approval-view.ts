import { writeResource } from '../../../shared/model/access/access-request.ts';
import { sameName } from '../../../shared/model/access/asker.ts';
import { type Approval, type ApprovalState, standingOf } from '../../../shared/model/approvals/approval.ts';
import { cutText } from './words.ts';

/** A request for a second person, as a person reads it. */
export interface ApprovalView {
  readonly id: string;
  readonly state: ApprovalState | 'expired';
  readonly action: string;
  readonly resource: string;
  /** What exactly would be done, by name. */
  readonly content: readonly { readonly name: string; readonly value: string }[];
  readonly digest: string;
  readonly requestedBy: string;
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
  readonly decidedBy: string | null;
  readonly reason: string | null;
  readonly error: string | null;
}

/** Everything in it came from a request: shown as text, and cut. */
export function viewApproval(approval: Approval, nowMs: number): ApprovalView {
  const { id, action, resource, content, digest, requestedBy, requestedAtMs, expiresAtMs } = approval;
  return {
    id,
    state: standingOf(approval, nowMs),
    action,
    resource: cutText(writeResource(resource)),
    content: Object.entries(content).map(([name, value]) => ({
      name: cutText(name),
      value: cutText(typeof value === 'string' ? value : JSON.stringify(value)),
    })),
    digest,
    requestedBy: cutText(requestedBy),
    requestedAtMs,
    expiresAtMs,
    decidedBy: approval.decidedBy === undefined ? null : cutText(approval.decidedBy),
    reason: approval.reason === undefined ? null : cutText(approval.reason),
    error: approval.error === undefined ? null : cutText(approval.error),
  };
}

/** Whether this visitor asked for it: they may take it back, not approve it. */
export function isOwnRequest({ requestedBy }: Pick<ApprovalView, 'requestedBy'>, visitor: string): boolean {
  return sameName(requestedBy, visitor);
}
