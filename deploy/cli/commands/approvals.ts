import { openApprovalStore, unknownApproval } from '../../../shared/adapters/spanner/approvals/approval-store.ts';
import { openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { jsonLog, type Log } from '../../../shared/base/log.ts';
import { openAuthority } from '../../../shared/connect/authority.ts';
import { decideApproval, type SecondPersonTools } from '../../../shared/connect/second-person.ts';
import { writeResource } from '../../../shared/model/access/access-request.ts';
import { type Approval, standingOf } from '../../../shared/model/approvals/approval.ts';
import type { Output } from '../output.ts';
import { ownAsker } from '../own-identity.ts';
import { readConfig } from '../read-config.ts';

/** What a decision takes. */
export interface DecideOptions {
  readonly config: string;
  readonly id: string;
  readonly reason?: string;
}

type Tools = Omit<SecondPersonTools, 'withinMs' | 'approvals'> & {
  readonly approvals: ReturnType<typeof openApprovalStore>;
};

/** Prints requests for a second person, newest first: those that wait, unless all are asked for. */
export async function listApprovals(
  options: { readonly config: string; readonly all?: boolean; readonly limit: number },
  output: Output,
): Promise<void> {
  await withApprovals(options.config, async ({ approvals, authority }) => {
    authority.require(await ownAsker(process.env), 'view', { type: 'Function', name: 'dashboard' });
    const nowMs = Date.now();
    const all = await approvals.list(options.limit);
    const shown = options.all ? all : all.filter((one) => standingOf(one, nowMs) === 'requested');
    if (shown.length === 0 && !output.json) output.result([], 'Nothing waits for a second person.');
    for (const approval of shown) output.result(jsonOf(approval, nowMs), lineOf(approval, nowMs));
  });
}

/** Prints one request, with what exactly would be done. */
export async function showApproval(
  options: { readonly config: string; readonly id: string },
  output: Output,
): Promise<void> {
  await withApprovals(options.config, async ({ approvals, authority }) => {
    authority.require(await ownAsker(process.env), 'view', { type: 'Function', name: 'dashboard' });
    const approval = await approvals.find(options.id);
    if (!approval) throw unknownApproval(options.id);
    const nowMs = Date.now();
    output.result(jsonOf(approval, nowMs), describe(approval, nowMs));
  });
}

/** Says yes or no to a request of somebody else, after printing what it is for. */
export async function decide(says: 'approve' | 'deny', options: DecideOptions, output: Output): Promise<void> {
  await withApprovals(options.config, async (tools) => {
    const found = await tools.approvals.find(options.id);
    if (!found) throw unknownApproval(options.id);
    output.progress(describe(found, Date.now()));
    const verdict = { id: found.id, says, seen: found.digest, reason: options.reason };
    const decided = await decideApproval(await ownAsker(process.env), verdict, tools);
    const next = says === 'approve' ? `Approved: ${decided.requestedBy} may run it, once.` : 'Denied.';
    output.result(jsonOf(decided, Date.now()), next);
  });
}

async function withApprovals(config: string, use: (tools: Tools) => Promise<void>): Promise<void> {
  const { declaration } = await readConfig(config, ['spanner']);
  const log: Log = jsonLog('penstock');
  const authority = await openAuthority(declaration, { door: 'penstock', log });
  const opened = openDatabase(declaration.spanner.database);
  try {
    await use({ authority, approvals: openApprovalStore(opened.database), log });
  } finally {
    await opened.close();
  }
}

function jsonOf(approval: Approval, nowMs: number) {
  const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    id: approval.id,
    state: standingOf(approval, nowMs),
    action: approval.action,
    resource: writeResource(approval.resource),
    content: approval.content,
    digest: approval.digest,
    requestedBy: approval.requestedBy,
    requestedAt: time(approval.requestedAtMs),
    expiresAt: time(approval.expiresAtMs),
    decidedBy: approval.decidedBy ?? null,
    decidedAt: time(approval.decidedAtMs),
    reason: approval.reason ?? null,
    startedAt: time(approval.startedAtMs),
    finishedAt: time(approval.finishedAtMs),
    error: approval.error ?? null,
  };
}

function lineOf(approval: Approval, nowMs: number): string {
  const { id, action, resource, requestedBy, expiresAtMs, decidedBy } = approval;
  const until = new Date(expiresAtMs).toISOString();
  const by = decidedBy === undefined ? '' : `  by ${JSON.stringify(decidedBy)}`;
  return `${id}  ${standingOf(approval, nowMs)}${by}  ${action} ${JSON.stringify(writeResource(resource))}  asked by ${JSON.stringify(requestedBy)}, until ${until}`;
}

/** Content came from a request: as JSON, nothing in it moves the cursor. */
function describe(approval: Approval, nowMs: number): string {
  const content = Object.entries(approval.content).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  const why = approval.reason === undefined ? [] : [`  reason: ${JSON.stringify(approval.reason)}`];
  return [lineOf(approval, nowMs), ...content, ...why].join('\n');
}
