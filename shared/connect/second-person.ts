import { randomUUID } from 'node:crypto';
import { audit } from '../base/audit.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { messageOf, PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Circumstances, showName, writeResource } from '../model/access/access-request.ts';
import type { Asker } from '../model/access/asker.ts';
import {
  type Approval,
  type ApprovalSubject,
  approve,
  deny,
  digestOf,
  finish,
  requestApproval,
  standingOf,
  start,
} from '../model/approvals/approval.ts';
import type { Authority } from './authority.ts';

/** Where requests are kept: `ApprovalStore`, as far as it is needed here. */
export interface Approvals {
  find(id: string): Promise<Approval | undefined>;
  request(wanted: Approval, nowMs: number): Promise<Approval>;
  change(id: string, next: (approval: Approval) => Approval): Promise<Approval>;
}

/** What a second person's yes is asked and given with. */
export interface SecondPersonTools {
  readonly authority: Authority;
  readonly approvals: Approvals;
  readonly log: Log;
  /** How long a request stands. */
  readonly withinMs: number;
  readonly clock?: Clock;
}

/** Something to be done, and what policies may look at. */
export interface GuardedAct extends ApprovalSubject {
  readonly about?: Partial<Circumstances>;
}

/** Somebody else has to say yes first; the request stands. */
export class ApprovalNeededError extends PenstockError {
  readonly approval: Approval;

  constructor(approval: Approval) {
    const until = new Date(approval.expiresAtMs).toISOString();
    super(
      `${approval.action} ${showName(writeResource(approval.resource))} needs a second person: request ${approval.id} stands until ${until}`,
      {
        code: 'APPROVAL_NEEDED',
        remedy: `Ask somebody else to run npx penstock approvals approve ${approval.id}, or to say yes on the page; then do the same again`,
        retryable: false,
      },
    );
    this.approval = approval;
  }
}

/**
 * Does what policies permit: at once where they do, and once where a second person has approved exactly this.
 *
 * @param run does it; called at most once, after the approval was used up
 * @throws {DeniedError} where an approval would not help
 * @throws {ApprovalNeededError} while nobody else has approved it; it is asked for then
 */
export async function doGuarded<T>(
  asker: Asker,
  act: GuardedAct,
  tools: SecondPersonTools,
  run: () => Promise<T>,
): Promise<T> {
  const { authority, approvals, log, withinMs, clock = systemClock } = tools;
  const { action, resource, content, about = {} } = act;
  if (!authority.wouldApprovalHelp(asker, action, resource, about)) {
    authority.require(asker, action, resource, about);
    return await run();
  }
  const subject = { action, resource, content };
  const nowMs = clock();
  const wanted = requestApproval(subject, { id: randomUUID(), requestedBy: asker.name, nowMs, withinMs });
  const standing = await approvals.request(wanted, nowMs);
  if (standing.id === wanted.id) auditApproval(log, 'approval.request', asker.name, standing);
  if (standingOf(standing, nowMs) !== 'approved') {
    authority.decide(asker, action, resource, about);
    throw new ApprovalNeededError(standing);
  }
  // Asked again with the yes: policies may have changed since.
  authority.require(asker, action, resource, { ...about, approved: true });
  const digest = digestOf(subject);
  const running = await approvals.change(standing.id, (found) =>
    start(found, { by: asker.name, digest, nowMs: clock() }),
  );
  auditApproval(log, 'approval.start', asker.name, running);
  return await settled(running, asker, tools, run);
}

async function settled<T>(
  running: Approval,
  asker: Asker,
  { approvals, log, clock = systemClock }: SecondPersonTools,
  run: () => Promise<T>,
): Promise<T> {
  const end = async (error: string | undefined): Promise<void> => {
    const ended = await approvals.change(running.id, (found) => finish(found, { error, nowMs: clock() }));
    auditApproval(log, 'approval.finish', asker.name, ended, error);
  };
  try {
    const result = await run();
    await end(undefined);
    return result;
  } catch (error) {
    await end(messageOf(error)).catch(() => undefined);
    throw error;
  }
}

/** A decision of a second person. */
export interface Verdict {
  readonly id: string;
  readonly says: 'approve' | 'deny';
  /** Digest of what was looked at. */
  readonly seen: string;
  readonly reason?: string | undefined;
}

/**
 * Decides about a request, where policies let this person.
 *
 * @throws {DeniedError | ApprovalError | PenstockError} and nothing is changed then
 */
export async function decideApproval(
  asker: Asker,
  { id, says, seen, reason }: Verdict,
  tools: Omit<SecondPersonTools, 'withinMs'>,
): Promise<Approval> {
  const { authority, approvals, log, clock = systemClock } = tools;
  const found = await approvals.find(id);
  if (!found) {
    const message = `There is no approval ${JSON.stringify(showName(id))}`;
    throw new PenstockError(message, {
      code: 'NOT_FOUND',
      remedy: 'List them: npx penstock approvals list',
      retryable: false,
    });
  }
  const isOwn = says === 'deny' && found.requestedBy === asker.name;
  // Taking back one's own request needs nobody's leave.
  if (!isOwn) authority.require(asker, 'approve', found.resource, { act: found.action });
  const by = asker.name;
  try {
    const decided = await approvals.change(id, (current) => {
      const nowMs = clock();
      return says === 'approve' ? approve(current, { by, seen, nowMs }) : deny(current, { by, reason, nowMs });
    });
    auditApproval(log, `approval.${says}`, by, decided);
    return decided;
  } catch (error) {
    auditApproval(log, `approval.${says}`, by, found, messageOf(error), 'refused');
    throw error;
  }
}

function auditApproval(
  log: Log,
  action: string,
  identity: string,
  approval: Approval,
  error?: string,
  outcome: 'refused' | 'failed' = 'failed',
): void {
  audit(log, {
    action,
    identity: showName(identity),
    resource: showName(writeResource(approval.resource)),
    outcome: error === undefined ? 'done' : outcome,
    details: {
      approval: approval.id,
      asked: approval.action,
      digest: approval.digest,
      requestedBy: showName(approval.requestedBy),
      decidedBy: approval.decidedBy && showName(approval.decidedBy),
      ...(error === undefined ? {} : { reason: error }),
    },
  });
}
