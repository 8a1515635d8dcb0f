import { html } from 'hono/html';
import type { SecretView } from '../view/view-model.ts';
import { quoteForShell, sayAge, sayDuration, sayMany, sayMoment } from '../view/words.ts';
import type { Html } from './html.ts';
import { bareIcon } from './icons.ts';

const resultWords: Readonly<Record<SecretView['result'], string>> = {
  none: 'Not rotated yet',
  rotating: 'Rotating',
  'held-up': 'Held up',
  rotated: 'Rotated',
  failed: 'Failed',
};

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

function stateOf({ name, health, result, isOverdue, last }: SecretView): Html {
  const words = isOverdue
    ? `Overdue${result === 'rotated' ? '' : `, ${resultWords[result].toLowerCase()}`}`
    : resultWords[result];
  const isWaiting = health === 'bad' || health === 'warn';
  return html`<span class="state">${bareIcon(health)}<span${isWaiting ? html` class="strong"` : ''}>${words}</span></span>
${last === null ? '' : html`<span class="sub">${sayLast(last, result)}</span>`}
${last?.reason ? html`<span class="sub">${last.reason}</span>` : ''}
${isWaiting ? html`<code class="cmd">npx penstock rotate ${quoteForShell(name)}</code>` : ''}`;
}

function sayLast(last: NonNullable<SecretView['last']>, result: SecretView['result']): string {
  const { fromVersion, toVersion, kind, step, atMs } = last;
  const versions = toVersion === null ? '' : `version ${fromVersion === null ? '' : `${fromVersion} → `}${toVersion}, `;
  const back = kind === 'back' ? 'back, ' : '';
  return `${back}${result === 'failed' ? '' : versions}step ${step}, ${sayMoment(atMs)}`;
}

function oldUsers({ stillOld, stillOldCount, current }: SecretView): Html | string {
  if (stillOldCount === 0) return current === null ? '–' : 'nobody';
  const rest = stillOldCount - stillOld.length;
  return html`${sayMany(stillOldCount, 'process', 'processes')}${stillOld.map(
    ({ holder, version }) => html`<span class="sub">${holder} on ${version}</span>`,
  )}${rest > 0 ? html`<span class="sub">and ${rest} more</span>` : ''}`;
}

/** In its longest unit, so that the page does not change each second. */
function sayAgeOf({ ageMs }: SecretView): string {
  return ageMs === null ? 'not known' : sayAge(ageMs);
}

function sayNext({ everyMs, ageMs }: SecretView): string {
  if (ageMs === null) return 'not known';
  const leftMs = everyMs - ageMs;
  return leftMs > 0 ? `in ${sayAge(leftMs)}` : `${sayAge(-leftMs)} late`;
}
