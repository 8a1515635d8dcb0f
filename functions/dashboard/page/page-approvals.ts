import { html } from 'hono/html';
import { type ApprovalView, isOwnRequest } from '../view/approval-view.ts';
import type { Health } from '../view/view-model.ts';
import { sayMoment } from '../view/words.ts';
import type { Html } from './html.ts';
import { bareIcon, sprite } from './icons.ts';
import type { PageOptions } from './page-options.ts';

const health: Readonly<Record<ApprovalView['state'], Health>> = {
  requested: 'warn',
  approved: 'ok',
  running: 'ok',
  done: 'ok',
  failed: 'bad',
  denied: 'idle',
  expired: 'idle',
};

type Reader = Pick<PageOptions, 'base' | 'visitor'>;

/** What waits for a second person, and what became of what has waited. */
export function approvalsSection(approvals: readonly ApprovalView[], reader: Reader): Html | '' {
  if (approvals.length === 0) return '';
  return html`<section class="card" id="approvals" aria-labelledby="approvals-h">
<header><h2 id="approvals-h">Approvals</h2><a class="more" href="${reader.base}/api/approvals">as JSON</a></header>
<div class="scroll tall" role="region" aria-label="List of approvals" tabindex="0"><table class="letters">
<caption class="visually-hidden">Requests for a second person, newest first</caption>
<thead><tr><th scope="col">Asked for</th><th scope="col">State</th><th scope="col">What exactly</th><th scope="col">Your say</th></tr></thead>
<tbody>${approvals.map((approval) => approvalRow(approval, reader))}</tbody>
</table></div>
<p class="tail">Decisions of policies are lines of the log, <code>audit=true</code>: a page must not be where they can be changed.</p>
</section>`;
}

/** One request alone, as it stands now. */
export function renderApproval(approval: ApprovalView, reader: Reader, assets: PageOptions['assets']): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${approval.state}: ${approval.action} ${approval.resource} · Penstock</title>
<link rel="icon" href="${assets.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.css}">
</head>
<body>
${sprite}
<main id="main" class="notice">
<h1>${approval.action} ${approval.resource}</h1>
<p><span class="state">${bareIcon(health[approval.state])}<span>${approval.state}</span></span></p>
${who(approval)}
${contentOf(approval)}
${decisionForm(approval, reader)}
<p><a href="${reader.base}/#approvals">Back to the page</a></p>
</main>
</body>
</html>`;
}

function approvalRow(approval: ApprovalView, reader: Reader): Html {
  const { id, state, action, resource } = approval;
  return html`<tr class="${health[state]}">
<th scope="row"><a class="name" href="${reader.base}/approvals/${encodeURIComponent(id)}">${action} ${resource}</a>${who(approval)}</th>
<td><span class="state">${bareIcon(health[state])}<span>${state}</span></span></td>
<td class="reason">${contentOf(approval)}</td>
<td>${decisionForm(approval, reader)}</td>
</tr>`;
}

function who({ requestedBy, requestedAtMs, expiresAtMs, decidedBy, reason, error, state }: ApprovalView): Html {
  const until = state === 'requested' || state === 'approved' ? `, stands until ${sayMoment(expiresAtMs)}` : '';
  return html`<span class="sub">asked by ${requestedBy} at ${sayMoment(requestedAtMs)}${until}</span>
${decidedBy === null ? '' : html`<span class="sub">decided by ${decidedBy}</span>`}
${reason === null ? '' : html`<span class="sub">because: ${reason}</span>`}
${error === null ? '' : html`<span class="sub">failed: ${error}</span>`}`;
}

function contentOf({ content }: ApprovalView): Html {
  return html`<span class="bytes">${content.map(({ name, value }) => html`<span class="sub">${name}: <code>${value}</code></span>`)}</span>`;
}

/** A plain form: it works without a script, and what was looked at goes with it. */
function decisionForm(approval: ApprovalView, { base, visitor }: Reader): Html | '' {
  if (approval.state !== 'requested') return '';
  const isOwn = isOwnRequest(approval, visitor);
  const yes = isOwn ? '' : html`<button name="says" value="approve">Approve</button>`;
  return html`<form method="post" action="${base}/approvals/${encodeURIComponent(approval.id)}">
<input type="hidden" name="seen" value="${approval.digest}">
<label class="sub">Reason <input name="reason" maxlength="500" autocomplete="off"></label>
${yes}
<button name="says" value="deny">${isOwn ? 'Take back' : 'Deny'}</button>
</form>`;
}
