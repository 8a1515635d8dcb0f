import type { DeadLetterRow, EpochRow, RotationRow } from '../../../shared/adapters/spanner/overview-store.ts';
import { writeResource } from '../../../shared/model/access/access-request.ts';
import { sameName } from '../../../shared/model/access/asker.ts';
import type { Approval } from '../../../shared/model/approvals/approval.ts';
import type { Sources } from '../sources/sources.ts';
import type { Deeds, DeedView } from './view-model.ts';
import { cutText, sayMany } from './words.ts';

/** Deeds that the page lists. */
export const maxListedDeeds = 30;

/** Groups of letters that follow each other so soon are one command's. */
const SAME_REDRIVE_MS = 60_000;

/** Who asked for, decided, started and redrove what, as far as rows tell: newest first. Names come from elsewhere: shown as text, and cut. */
export function viewDeeds({ approvals, secrets, pipelines, epochs }: Sources): Deeds {
  const deeds = [
    ...approvals.flatMap(approvalDeeds),
    ...[...secrets].flatMap(([name, { rotations }]) => rotations.map((rotation) => rotationDeed(name, rotation))),
    ...[...pipelines.values()].flatMap(({ deadLetters }) => redriveDeeds(deadLetters)),
    ...epochs.map(epochDeed),
  ].sort((a, b) => b.atMs - a.atMs);
  const newest = deeds.slice(0, maxListedDeeds).map((deed) => ({ ...deed, who: cutText(deed.who) }));
  return { newest, isMore: deeds.length > newest.length };
}

function approvalDeeds(approval: Approval): DeedView[] {
  const { id, action, state, requestedBy, requestedAtMs, decidedBy, decidedAtMs, reason, error } = approval;
  const about = {
    what: cutText(`${action} ${writeResource(approval.resource)}`),
    href: `/approvals/${encodeURIComponent(id)}`,
    detail: null,
  };
  const deeds: DeedView[] = [{ ...about, atMs: requestedAtMs, who: requestedBy, did: 'asked for' }];
  if (decidedBy !== undefined && decidedAtMs !== undefined) {
    const isTakenBack = sameName(decidedBy, requestedBy);
    const did = state !== 'denied' ? 'approved' : isTakenBack ? 'took back' : 'denied';
    const detail = reason === undefined ? null : cutText(`because: ${reason}`);
    deeds.push({ ...about, atMs: decidedAtMs, who: decidedBy, did, detail });
  }
  if (approval.startedAtMs !== undefined) {
    const detail = error === undefined ? null : cutText(`failed: ${error}`);
    const did = state === 'done' ? 'ran' : state === 'failed' ? 'ran, in vain' : 'runs';
    deeds.push({ ...about, atMs: approval.startedAtMs, who: requestedBy, did, detail });
  }
  return deeds;
}

function rotationDeed(secret: string, rotation: RotationRow): DeedView {
  const { kind, step, fromVersion, toVersion, startedAtMs, requestedBy } = rotation;
  const from = fromVersion === undefined ? '' : `${fromVersion} → `;
  const parts = [toVersion === undefined ? [] : [`version ${from}${toVersion}`], step === 'failed' ? ['failed'] : []];
  return {
    atMs: startedAtMs,
    who: requestedBy,
    did: kind === 'back' ? 'rotated back' : 'rotated',
    what: `Secret/${secret}`,
    detail: parts.flat().join(', ') || null,
    href: '#secrets',
  };
}

/** One deed for letters that one person sent again in one go. */
function redriveDeeds(letters: readonly DeadLetterRow[]): DeedView[] {
  const taken = letters.flatMap(({ pipeline, redrivenAtMs, redrivenBy = 'not known' }) =>
    redrivenAtMs === undefined ? [] : [{ pipeline, who: redrivenBy, atMs: redrivenAtMs, count: 1 }],
  );
  const groups: typeof taken = [];
  for (const one of taken.sort((a, b) => a.atMs - b.atMs)) {
    const open = groups.findLast(({ who, pipeline }) => who === one.who && pipeline === one.pipeline);
    if (open && one.atMs - open.atMs <= SAME_REDRIVE_MS) {
      open.count += 1;
      open.atMs = one.atMs;
    } else {
      groups.push({ ...one });
    }
  }
  return groups.map(({ pipeline, who, atMs, count }) => ({
    atMs,
    who,
    did: 'redrove',
    what: `${sayMany(count, 'dead letter')} of ${cutText(pipeline)}`,
    detail: null,
    href: '#dead-letters',
  }));
}

function epochDeed({ id, feed, state, plannedBy, plannedAtMs }: EpochRow): DeedView {
  return {
    atMs: plannedAtMs,
    who: plannedBy,
    did: 'planned',
    what: cutText(`epoch ${id} of ${feed}`),
    detail: state === 'failed' ? 'failed' : null,
    href: '#epochs',
  };
}
