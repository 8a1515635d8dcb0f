import { writeResource } from '../../../shared/model/access/access-request.ts';
import { sameName } from '../../../shared/model/access/asker.ts';
import { type Approval, type ApprovalState, standingOf } from '../../../shared/model/approvals/approval.ts';
import { cutText, showHidden } from './words.ts';

/** A request for a second person, as a person reads it. */
export interface ApprovalView {
  readonly id: string;
  readonly state: ApprovalState | 'expired';
  readonly action: string;
  readonly resource: string;
  /** What exactly would be done, by name. */
  readonly content: readonly { readonly name: string; readonly value: string }[];
  /** True where some of what would be done is not shown, so that nobody can say yes to it here. */
  readonly isCut: boolean;
  readonly digest: string;
  readonly requestedBy: string;
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
  readonly decidedBy: string | null;
  readonly reason: string | null;
  readonly error: string | null;
}

/** Characters of each name and value on a request's own page: enough for any condition or list of columns that people write. */
export const wholeCharacters = 20_000;

/**
 * Everything in it came from a request: shown as text, and cut.
 *
 * @param maxCharacters of each name and value of what would be done; a line's unless given
 */
export function viewApproval(approval: Approval, nowMs: number, maxCharacters?: number): ApprovalView {
  const { id, action, resource, content, digest, requestedBy, requestedAtMs, expiresAtMs } = approval;
  const whole = Object.entries(content).map(([name, value]) => ({
    name,
    value: typeof value === 'string' ? value : JSON.stringify(value),
  }));
  const named = writeResource(resource);
  const cut = (text: string): string => cutText(text, maxCharacters);
  const isWhole = (text: string): boolean => cut(text) === showHidden(text);
  return {
    id,
    state: standingOf(approval, nowMs),
    action,
    resource: cut(named),
    content: whole.map(({ name, value }) => ({ name: cut(name), value: cut(value) })),
    isCut: ![named, ...whole.flatMap(({ name, value }) => [name, value])].every(isWhole),
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
