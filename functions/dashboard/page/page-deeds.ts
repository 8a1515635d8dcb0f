import { html } from 'hono/html';
import type { Deeds, DeedView } from '../view/view-model.ts';
import { sayMoment } from '../view/words.ts';
import type { Html } from './html.ts';

/** Finds what no row tells: which decisions policies made, and who read what. */
const DECISIONS = 'jsonPayload.audit=true AND jsonPayload.action="access.decide"';

/** Who did what, as far as rows tell, and where the rest is. */
export function deedsSection({ newest, isMore }: Deeds, base: string): Html {
  const rest = html`<p class="tail">${isMore ? `The newest ${newest.length}. ` : ''}Decisions of policies and reads of data are lines of the log, not rows: a page must not be where they can be changed.
In Cloud Logging <code>${DECISIONS}</code> finds them; for a period, <code>npx penstock audit report FILE --from DAY --to DAY</code>.</p>`;
  if (newest.length === 0) {
    return html`<section class="card" id="audit" aria-labelledby="audit-h">
<header><h2 id="audit-h">Who did what</h2></header>
<p class="tail">Nobody has asked for, approved, rotated, redriven or planned anything yet.</p>
${rest}
</section>`;
  }
  return html`<section class="card" id="audit" aria-labelledby="audit-h">
<header><h2 id="audit-h">Who did what</h2><span class="muted">newest first</span><a class="more" href="${base}/api/audit">as JSON</a></header>
<div class="scroll tall" role="region" aria-label="List of who did what" tabindex="0"><table class="letters deeds">
<caption class="visually-hidden">Who asked for, decided, rotated, redrove and planned what, newest first</caption>
<thead><tr><th scope="col">Who</th><th scope="col">Did what</th><th scope="col" class="num wide">When</th></tr></thead>
<tbody>${newest.map((deed) => deedRow(deed, base))}</tbody>
</table></div>
${rest}
</section>`;
}

function deedRow({ atMs, who, did, what, detail, href }: DeedView, base: string): Html {
  const when = html`<time datetime="${Number.isFinite(atMs) ? new Date(atMs).toISOString() : ''}">${sayMoment(atMs)}</time>`;
  return html`<tr>
<th scope="row"><span class="who-did">${who}</span><span class="narrow muted">${when}</span></th>
<td class="reason">${did} <a href="${href.startsWith('/') ? base : ''}${href}">${what}</a>${detail === null ? '' : html`<span class="sub">${detail}</span>`}</td>
<td class="num wide">${when}</td>
</tr>`;
}
