import { html } from 'hono/html';
import { sayAgeOf, sayNext, sayRotation, sayState } from '../view/secret-words.ts';
import type { SecretView } from '../view/view-model.ts';
import { sayDuration, sayMany, sayMoment } from '../view/words.ts';
import type { Html } from './html.ts';
import { bareIcon } from './icons.ts';

/** Every secret that rotates, worst first; its versions by number only. */
export function secretsSection(secrets: readonly SecretView[], base: string): Html | '' {
  if (secrets.length === 0) return '';
  return html`<section class="card" id="secrets" aria-labelledby="secrets-h">
<header><h2 id="secrets-h">Secrets</h2><span class="muted">worst first</span><a class="more" href="${base}/api/secrets">as JSON</a></header>
<div class="scroll tall" role="region" aria-label="List of secrets" tabindex="0"><table class="letters secrets">
<caption class="visually-hidden">Secrets that rotate, with the age of the version in use</caption>
<thead><tr><th scope="col">Secret</th><th scope="col">State</th><th scope="col" class="wide">Age</th><th scope="col" class="wide">Next rotation</th><th scope="col" class="wide">On an old version</th></tr></thead>
<tbody>${secrets.map(secretRow)}</tbody>
</table></div>
</section>`;
}

function secretRow(secret: SecretView): Html {
  const { name, strategy, health, current, everyMs } = secret;
  const next = sayNext(secret);
  return html`<tr class="${health}">
<th scope="row"><span class="name">${name}</span><span class="sub">${strategy}${current === null ? '' : `, version ${current}`}</span>
<span class="narrow muted">${secret.ageMs === null ? 'age not known' : `${sayAgeOf(secret)} old, next ${next}`}</span>${secret.stillOldCount === 0 ? '' : html`<span class="narrow">${oldUsers(secret)}</span>`}</th>
<td class="reason">${stateOf(secret)}</td>
<td class="wide">${sayAgeOf(secret)}<span class="sub">of ${sayDuration(everyMs)}</span></td>
<td class="wide">${next}${secret.nextAtMs === null ? '' : html`<span class="sub">${sayMoment(secret.nextAtMs)}</span>`}</td>
<td class="wide">${oldUsers(secret)}</td>
</tr>`;
}

function stateOf(secret: SecretView): Html {
  const { health, last, command } = secret;
  return html`<span class="state">${bareIcon(health)}<span${command === null ? '' : html` class="strong"`}>${sayState(secret)}</span></span>
${last === null ? '' : html`<span class="sub">${sayRotation(last)}</span>`}
${last?.reason ? html`<span class="sub">${last.reason}</span>` : ''}
${command === null ? '' : html`<code class="cmd">${command}</code>`}`;
}

function oldUsers({ stillOld, stillOldCount, current }: SecretView): Html | string {
  if (stillOldCount === 0) return current === null ? '–' : 'nobody';
  const rest = stillOldCount - stillOld.length;
  return html`${sayMany(stillOldCount, 'process', 'processes')}${stillOld.map(
    ({ holder, version }) => html`<span class="sub">${holder} on ${version}</span>`,
  )}${rest > 0 ? html`<span class="sub">and ${rest} more</span>` : ''}`;
}
