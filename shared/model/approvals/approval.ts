import { createHash } from 'node:crypto';
import { canonicalJson } from '../../base/canonical-json.ts';
import { PenstockError } from '../../base/errors.ts';
import { type AccessAction, type Resource, writeResource } from '../access/access-request.ts';
import { sameName } from '../access/asker.ts';

/**
 * A second person's yes, as a machine of states:
 *
 *     requested ──approve──▶ approved ──start──▶ running ──finish──▶ done | failed
 *         └────deny────▶ denied ◀──deny──┘
 *
 * `requested` and `approved` end by themselves at `expiresAtMs`. Nothing leaves `denied`, `done` and `failed`; nothing enters
 * `running` twice, so that what was approved runs once or, when its runner dies, is asked for anew.
 */
export type ApprovalState = 'requested' | 'approved' | 'denied' | 'running' | 'done' | 'failed';

/** What somebody asks for. */
export interface Approval {
  readonly id: string;
  readonly state: ApprovalState;
  readonly action: AccessAction;
  readonly resource: Resource;
  /** What exactly would be done, for people: plain JSON. */
  readonly content: Content;
  /** Of action, resource and content: what is approved is this, and nothing that has changed since. */
  readonly digest: string;
  readonly requestedBy: string;
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
  readonly decidedBy: string | undefined;
  readonly decidedAtMs: number | undefined;
  /** Why it was denied, in the words of who denied it. */
  readonly reason: string | undefined;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  /** What a failed one failed with. */
  readonly error: string | undefined;
}

/** Plain JSON. */
export type Content = { readonly [name: string]: ContentValue };
type ContentValue = string | number | boolean | null | readonly ContentValue[] | Content;

/** What is asked for, before anybody has asked. */
export type ApprovalSubject = Pick<Approval, 'action' | 'resource' | 'content'>;

/** Why an approval cannot go where it was sent. */
export type ApprovalErrorCode =
  /** Nobody approves what they asked for. */
  | 'OWN_APPROVAL'
  /** Too late. */
  | 'APPROVAL_EXPIRED'
  /** What would be done is not what was asked for. */
  | 'APPROVAL_CHANGED'
  /** It was decided, is running or has run. */
  | 'APPROVAL_SETTLED'
  /** Not by this person, or not yet. */
  | 'APPROVAL_MISSING';

/** An approval cannot go where it was sent; nothing was changed. */
export class ApprovalError extends PenstockError {
  constructor(code: ApprovalErrorCode, message: string, remedy: string) {
    super(message, { code, remedy, retryable: false });
  }
}

/** `expired` where its time is over, else its state. */
export function standingOf(approval: Approval, nowMs: number): ApprovalState | 'expired' {
  const mayExpire = approval.state === 'requested' || approval.state === 'approved';
  return mayExpire && nowMs >= approval.expiresAtMs ? 'expired' : approval.state;
}

/** Asks for a second person. */
export function requestApproval(
  subject: ApprovalSubject,
  by: { readonly id: string; readonly requestedBy: string; readonly nowMs: number; readonly withinMs: number },
): Approval {
  return {
    ...subject,
    id: by.id,
    state: 'requested',
    digest: digestOf(subject),
    requestedBy: by.requestedBy,
    requestedAtMs: by.nowMs,
    expiresAtMs: by.nowMs + by.withinMs,
    decidedBy: undefined,
    decidedAtMs: undefined,
    reason: undefined,
    startedAtMs: undefined,
    finishedAtMs: undefined,
    error: undefined,
  };
}

/**
 * Says yes.
 *
 * @param seen digest of what the person has looked at
 * @throws {ApprovalError}
 */
export function approve(
  approval: Approval,
  { by, seen, nowMs }: { readonly by: string; readonly seen: string; readonly nowMs: number },
): Approval {
  refuseUnless(approval, ['requested'], nowMs, 'be approved');
  if (sameName(by, approval.requestedBy)) {
    const message = `${approval.id} was asked for by ${approval.requestedBy}, and nobody approves their own request`;
    throw new ApprovalError('OWN_APPROVAL', message, 'Ask somebody else to look at it');
  }
  refuseChanged(approval, seen);
  return { ...approval, state: 'approved', decidedBy: by, decidedAtMs: nowMs };
}

/**
 * Says no: anybody who may say yes, and whoever asked; also after a yes, until it runs.
 *
 * @throws {ApprovalError}
 */
export function deny(
  approval: Approval,
  { by, reason, nowMs }: { readonly by: string; readonly reason: string | undefined; readonly nowMs: number },
): Approval {
  refuseUnless(approval, ['requested', 'approved'], nowMs, 'be denied');
  return { ...approval, state: 'denied', decidedBy: by, decidedAtMs: nowMs, reason };
}

/**
 * Begins what was approved: once, by whoever asked for it, as it was asked for.
 *
 * @param digest of what is to be done now
 * @throws {ApprovalError}
 */
export function start(
  approval: Approval,
  { by, digest, nowMs }: { readonly by: string; readonly digest: string; readonly nowMs: number },
): Approval {
  refuseUnless(approval, ['approved'], nowMs, 'be run');
  if (!sameName(by, approval.requestedBy)) {
    const message = `${approval.id} was asked for by ${approval.requestedBy}, not by ${by}`;
    throw new ApprovalError('APPROVAL_MISSING', message, 'Ask for an approval of your own');
  }
  refuseChanged(approval, digest);
  return { ...approval, state: 'running', startedAtMs: nowMs };
}

/** Says how it ended. */
export function finish(
  approval: Approval,
  { error, nowMs }: { readonly error: string | undefined; readonly nowMs: number },
): Approval {
  if (approval.state !== 'running') {
    const message = `${approval.id} is ${approval.state}, and only what is running can end`;
    throw new ApprovalError('APPROVAL_SETTLED', message, 'Look at it: penstock approvals show ID');
  }
  return { ...approval, state: error === undefined ? 'done' : 'failed', finishedAtMs: nowMs, error };
}

/** SHA-256 of what is asked for, whatever order its names stand in. */
export function digestOf({ action, resource, content }: ApprovalSubject): string {
  const text = canonicalJson({ action, resource: writeResource(resource), content });
  return `sha256-${createHash('sha256').update(text).digest('base64url')}`;
}

function refuseUnless(approval: Approval, states: readonly ApprovalState[], nowMs: number, what: string): void {
  const standing = standingOf(approval, nowMs);
  if (standing === 'expired') {
    const message = `${approval.id} expired at ${new Date(approval.expiresAtMs).toISOString()}`;
    throw new ApprovalError('APPROVAL_EXPIRED', message, 'Ask for it again');
  }
  if (states.includes(standing)) return;
  const code = standing === 'requested' ? 'APPROVAL_MISSING' : 'APPROVAL_SETTLED';
  throw new ApprovalError(
    code,
    `${approval.id} is ${standing}, and cannot ${what}`,
    'Ask for it again if it is still needed',
  );
}

function refuseChanged({ id, digest }: Approval, seen: string): void {
  if (seen === digest) return;
  const message = `${id} is for something else than what would be done now`;
  throw new ApprovalError('APPROVAL_CHANGED', message, 'Look at it again, or ask for what is meant now');
}
