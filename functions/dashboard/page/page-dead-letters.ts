import { html } from 'hono/html';
import type { DeadLetters, DeadLetterView } from '../view/view-model.ts';
import { sayBytes, sayCount, sayMoment } from '../view/words.ts';
import type { Html } from './html.ts';

/** The newest records that were set aside: where they came from, why, and their first bytes as plain text. */
export function deadLettersSection({ total, isMore, newest }: DeadLetters, base: string): Html {
  if (newest.length === 0) {
    return html`<section class="card" id="dead-letters" aria-labelledby="dead-h">
<header><h2 id="dead-h">Dead letters</h2></header>
<p class="tail">None. Records that cannot become rows are set aside here, with their bytes and the reason.</p>
</section>`;
  }
  const all = `${sayCount(total)}${isMore ? ' or more' : ''}`;
  return html`<section class="card" id="dead-letters" aria-labelledby="dead-h">
<header><h2 id="dead-h">Dead letters</h2><span class="muted">newest ${sayCount(newest.length)} of ${all}</span><a class="more" href="${base}/api/dead-letters">as JSON</a></header>
<div class="scroll tall" id="letters" role="region" aria-label="List of dead letters" tabindex="0"><table class="letters">
<caption class="visually-hidden">Records that were set aside, newest first</caption>
<thead><tr><th scope="col">Record</th><th scope="col" class="wide">Class</th><th scope="col">Reason</th><th scope="col" class="wide">Bytes</th><th scope="col" class="num wide">Set aside</th></tr></thead>
<tbody>${newest.map((letter) => letterRow(letter, base))}</tbody>
</table></div>
${isMore ? html`<p class="tail">A pipeline has more letters than the 1,000 that the page reads: these are the newest of those.</p>` : ''}
</section>`;
}

function letterRow(letter: DeadLetterView, base: string): Html {
  const query = new URLSearchParams({ pipeline: letter.pipeline, id: letter.id });
  return html`<tr>
<th scope="row"><a class="name" href="${base}/api/dead-letters?${query}">${letter.coordinates}</a><span class="sub">${letter.pipeline}</span><span class="narrow tag">${letter.class}</span></th>
<td class="wide"><span class="tag">${letter.class}</span></td>
<td class="reason">${letter.reason}<span class="narrow">${preview(letter)}</span></td>
<td class="wide">${preview(letter)}<span class="sub">${sayBytes(letter.valueBytes)}${letter.key === null ? '' : html`, key <code>${letter.key}</code>`}</span></td>
<td class="num wide"><time datetime="${new Date(letter.recordedAtMs).toISOString()}">${sayMoment(letter.recordedAtMs)}</time></td>
</tr>`;
}

function preview({ preview }: DeadLetterView): Html {
  return preview === null ? html`<span class="muted">no value</span>` : html`<code class="bytes">${preview}</code>`;
}
