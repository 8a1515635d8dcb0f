import { writeResource } from '../../../shared/model/access/access-request.ts';
import { sameName } from '../../../shared/model/access/asker.ts';
import { type Approval, type ApprovalState, standingOf } from '../../../shared/model/approvals/approval.ts';
import { showHidden } from './words.ts';

const MAX_CHARACTERS = 500;

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
    resource: plain(writeResource(resource)),
    content: Object.entries(content).map(([name, value]) => ({
      name: plain(name),
      value: plain(typeof value === 'string' ? value : JSON.stringify(value)),
    })),
    digest,
    requestedBy: plain(requestedBy),
    requestedAtMs,
    expiresAtMs,
    decidedBy: approval.decidedBy === undefined ? null : plain(approval.decidedBy),
    reason: approval.reason === undefined ? null : plain(approval.reason),
    error: approval.error === undefined ? null : plain(approval.error),
  };
}

/** Whether this visitor asked for it: they may take it back, not approve it. */
export function isOwnRequest({ requestedBy }: Pick<ApprovalView, 'requestedBy'>, visitor: string): boolean {
  return sameName(requestedBy, visitor);
}

function plain(text: string): string {
  const shown = showHidden(text.slice(0, MAX_CHARACTERS + 1));
  return shown.length <= MAX_CHARACTERS ? shown : `${shown.slice(0, MAX_CHARACTERS - 1)}…`;
}
