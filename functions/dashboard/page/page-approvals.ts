import { html } from 'hono/html';
import { type ApprovalView, isOwnRequest } from '../view/approval-view.ts';
import type { Health } from '../view/view-model.ts';
import { sayMoment } from '../view/words.ts';
import type { Html } from './html.ts';
import { bareIcon, sprite } from './icons.ts';
import type { PageOptions } from './page-options.ts';

const standings: Readonly<Record<ApprovalView['state'], { readonly health: Health; readonly words: string }>> = {
  requested: { health: 'warn', words: 'Waits for a second person' },
  approved: { health: 'ok', words: 'Approved, not run yet' },
  running: { health: 'ok', words: 'Running' },
  done: { health: 'ok', words: 'Done' },
  failed: { health: 'bad', words: 'Failed' },
  denied: { health: 'idle', words: 'Denied' },
  expired: { health: 'idle', words: 'Expired' },
};

/** What waits for a second person, and what became of what has waited. */
export function approvalsSection(
  approvals: readonly ApprovalView[],
  reader: Pick<PageOptions, 'base' | 'visitor'>,
): Html | '' {
  if (approvals.length === 0) return '';
  return html`<section class="card" id="approvals" aria-labelledby="approvals-h">
<header><h2 id="approvals-h">Approvals</h2><span class="muted">newest first</span><a class="more" href="${reader.base}/api/approvals">as JSON</a></header>
<div class="scroll tall" role="region" aria-label="List of approvals" tabindex="0"><table class="letters approvals">
<caption class="visually-hidden">Requests for a second person, newest first</caption>
<thead><tr><th scope="col">Asked for</th><th scope="col">State</th><th scope="col" class="wide">What exactly</th><th scope="col" class="wide">Your say</th></tr></thead>
<tbody>${approvals.map((approval) => approvalRow(approval, reader))}</tbody>
</table></div>
</section>`;
}

/** Who looks at a request alone, and whether policies let them decide about it. */
export interface ApprovalReader extends Pick<PageOptions, 'base' | 'visitor' | 'assets'> {
  readonly mayDecide: boolean;
}

/** One request alone, as it stands now. It has no script and never changes under a hand that is about to press. */
export function renderApproval(approval: ApprovalView, reader: ApprovalReader): Html {
  const { base, assets } = reader;
  const { action, resource, state } = approval;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${standings[state].words}: ${action} ${resource} · Penstock</title>
<link rel="icon" href="${assets.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.css}">
</head>
<body>
${sprite}
<main id="main" class="alone">
<p><a href="${base}/#approvals">Back to all approvals</a></p>
<h1>${action} ${resource}</h1>
<p>${stateOf(approval)}</p>
<section class="card" aria-labelledby="what-h">
<header><h2 id="what-h">What exactly</h2></header>
<dl class="exact pad">${approval.content.map(({ name, value }) => html`<dt>${name}</dt><dd><code>${value}</code></dd>`)}</dl>
</section>
<section class="card" aria-labelledby="who-h">
<header><h2 id="who-h">Who</h2></header>
<dl class="exact pad">${whoFacts(approval).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
</section>
${yourSay(approval, reader)}
</main>
</body>
</html>`;
}

function approvalRow(approval: ApprovalView, reader: Pick<PageOptions, 'base' | 'visitor'>): Html {
  const { id, state, action, resource } = approval;
  const href = `${reader.base}/approvals/${encodeURIComponent(id)}`;
  const say = state === 'requested' ? review(approval, href, reader.visitor) : '';
  return html`<tr class="${standings[state].health}">
<th scope="row"><a class="name" href="${href}">${action} ${resource}</a>${who(approval)}<span class="narrow">${say}</span></th>
<td>${stateOf(approval)}</td>
<td class="reason wide">${contentOf(approval)}</td>
<td class="wide">${say}</td>
</tr>`;
}

/** Only a way to the request: a list that is renewed must not hold the button that decides. */
function review(approval: ApprovalView, href: string, visitor: string): Html {
  if (isOwnRequest(approval, visitor)) return html`<a href="${href}">Yours to take back</a>`;
  const about = `${approval.action} ${approval.resource}`;
  return html`<a class="button" href="${href}">Review<span class="visually-hidden">: ${about}</span></a>`;
}

function stateOf({ state }: ApprovalView): Html {
  const { health, words } = standings[state];
  return html`<span class="state">${bareIcon(health)}<span>${words}</span></span>`;
}

function who({ requestedBy, requestedAtMs, expiresAtMs, decidedBy, reason, error, state }: ApprovalView): Html {
  const until = state === 'requested' || state === 'approved' ? `, stands until ${sayMoment(expiresAtMs)}` : '';
  return html`<span class="sub">asked by ${requestedBy} at ${sayMoment(requestedAtMs)}${until}</span>
${decidedBy === null ? '' : html`<span class="sub">decided by ${decidedBy}</span>`}
${reason === null ? '' : html`<span class="sub">because: ${reason}</span>`}
${error === null ? '' : html`<span class="sub">failed: ${error}</span>`}`;
}

function whoFacts(approval: ApprovalView): (readonly [name: string, value: string])[] {
  const { requestedBy, requestedAtMs, expiresAtMs, decidedBy, reason, error, state } = approval;
  const facts: [string, string | null][] = [
    ['Asked by', requestedBy],
    ['At', sayMoment(requestedAtMs)],
    [state === 'expired' ? 'Stood until' : 'Stands until', mayExpire(state) ? sayMoment(expiresAtMs) : null],
    ['Decided by', decidedBy],
    ['Because', reason],
    ['Failed with', error],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
}

function mayExpire(state: ApprovalView['state']): boolean {
  return state === 'requested' || state === 'approved' || state === 'expired';
}

function contentOf({ content }: ApprovalView): Html {
  return html`<span class="bytes">${content.map(({ name, value }) => html`<span class="sub">${name}: <code>${value}</code></span>`)}</span>`;
}

function yourSay(approval: ApprovalView, reader: ApprovalReader): Html {
  const { state, requestedBy } = approval;
  const isOwn = isOwnRequest(approval, reader.visitor);
  const says = (text: string): Html => html`<p>${text}</p>`;
  switch (state) {
    case 'requested':
      if (isOwn) {
        const why = 'You asked for this: somebody else has to say yes. You may take it back.';
        return html`${says(why)}${denyForm(approval, reader, 'Take back')}`;
      }
      if (!reader.mayDecide) return says('Policies let you look at this, not decide about it.');
      if (approval.isCut) {
        const where = html`<p>It is too long to be shown whole here, and nobody should say yes to what they have not seen: <code>npx penstock approvals show ${approval.id}</code></p>`;
        return html`${where}${denyForm(approval, reader, 'Deny')}`;
      }
      return html`${approveForm(approval, reader)}${denyForm(approval, reader, 'Deny')}`;
    case 'approved':
      return says(`${isOwn ? 'You' : requestedBy} may do the same again now: this yes is for once.`);
    case 'expired':
      return says('Nobody decided in time, and nothing was done. Whoever still wants it asks again.');
    case 'running':
      return says('The yes is used up. If what runs it dies, it has to be asked for anew.');
    default:
      return says('It is over: nothing leads on from here.');
  }
}

/** Plain forms: they work without a script, and what was looked at goes with them. */
function approveForm({ id, digest }: ApprovalView, { base }: ApprovalReader): Html {
  return html`<form class="decide" method="post" action="${base}/approvals/${encodeURIComponent(id)}">
<input type="hidden" name="seen" value="${digest}">
<button class="main" name="says" value="approve">Approve</button>
<span class="muted">Exactly this, once.</span>
</form>`;
}

/** A form of its own, so that Enter in the reason never says yes. */
function denyForm({ id, digest }: ApprovalView, { base }: ApprovalReader, word: string): Html {
  return html`<form class="decide" method="post" action="${base}/approvals/${encodeURIComponent(id)}">
<input type="hidden" name="seen" value="${digest}">
<label for="reason">Reason</label>
<input id="reason" name="reason" maxlength="500" autocomplete="off">
<button name="says" value="deny">${word}</button>
</form>`;
}
