import { html } from 'hono/html';
import type { Health } from '../view/view-model.ts';
import type { Html } from './html.ts';

const words: Readonly<Record<Health, string>> = {
  ok: 'Well:',
  idle: 'Idle:',
  warn: 'Needs a look:',
  bad: 'Broken:',
  unknown: 'Not known:',
};

/** The signs, each of its own shape: a state is never told by colour alone. */
export const sprite: Html = html`<svg class="sprite" aria-hidden="true" focusable="false">
<symbol id="i-ok" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="currentColor"/></symbol>
<symbol id="i-idle" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="2"/></symbol>
<symbol id="i-warn" viewBox="0 0 16 16"><path d="M8 1.5 15.2 14H.8z" fill="currentColor"/><path class="cut" d="M8 6v4M8 11.6v1.2" stroke-width="1.6"/></symbol>
<symbol id="i-bad" viewBox="0 0 16 16"><path d="M2 2h12v12H2z" fill="currentColor"/><path class="cut" d="m5.5 5.5 5 5m0-5-5 5" stroke-width="1.6"/></symbol>
<symbol id="i-unknown" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="2.6 2.1"/></symbol>
</svg>`;

/** The sign of a state, with its word for those who do not see it. */
export function icon(health: Health): Html {
  return html`<svg class="icon ${health}" aria-hidden="true" focusable="false"><use href="#i-${health}"/></svg><span class="visually-hidden">${words[health]} </span>`;
}

/** The sign alone, where the state's word stands beside it. */
export function bareIcon(health: Health): Html {
  return html`<svg class="icon ${health}" aria-hidden="true" focusable="false"><use href="#i-${health}"/></svg>`;
}
