import { html } from 'hono/html';
import type { Health, PipelineView } from '../view/view-model.ts';
import { sayCount, sayDuration, sayMany, sayRate } from '../view/words.ts';
import { sparkline } from './charts.ts';
import type { Html } from './html.ts';
import { bareIcon } from './icons.ts';
import type { PageOptions, PipelineFilter } from './page-options.ts';

const MAX_LISTED = 200;
const groups: readonly { filter: PipelineFilter; text: string; healths: readonly Health[] }[] = [
  { filter: 'all', text: 'All', healths: ['ok', 'idle', 'warn', 'bad', 'unknown'] },
  { filter: 'attention', text: 'Need attention', healths: ['warn', 'bad', 'unknown'] },
  { filter: 'flowing', text: 'Flowing', healths: ['ok'] },
  { filter: 'idle', text: 'Idle', healths: ['idle'] },
];

/** The pipelines, worst first, as far as the reader's filter lets them through. */
export function pipelinesSection(pipelines: readonly PipelineView[], options: PageOptions): Html {
  const shown = pipelines.filter((pipeline) => matches(pipeline, options));
  const listed = shown.slice(0, MAX_LISTED);
  return html`<section class="card" id="pipelines" aria-labelledby="pipelines-h">
<header><h2 id="pipelines-h">Pipelines</h2><span class="muted">worst first</span><a class="more" href="${options.base}/api/pipelines">as JSON</a></header>
${filters(pipelines, options)}
<div class="scroll"><table id="pipelines-table">
<caption class="visually-hidden">Pipelines with their state, lag, rate and records set aside</caption>
<thead><tr><th scope="col">Pipeline</th><th scope="col" class="wide">State</th><th scope="col" class="num">Lag</th><th scope="col" class="wide">30 min</th><th scope="col" class="num">Rows/s</th><th scope="col" class="num wide">Set aside</th></tr></thead>
<tbody>${listed.map(pipelineRow)}</tbody>
</table></div>
${tail(pipelines.length, shown.length, listed.length)}
</section>`;
}

function filters(pipelines: readonly PipelineView[], { search, filter, paused }: PageOptions): Html {
  const chips = groups.map(({ filter: value, text, healths }) => {
    const count = pipelines.filter(({ health }) => healths.includes(health)).length;
    const current = value === filter ? html` aria-current="true"` : '';
    return html`<li><a href="${address(value, search, paused)}" data-soft${current}>${text} ${sayCount(count)}</a></li>`;
  });
  return html`<form class="filters" id="filters" method="get" action="#pipelines" role="search" aria-label="Pipelines">
<ul>${chips}</ul>
${filter === 'all' ? '' : html`<input type="hidden" name="state" value="${filter}">`}
${paused ? html`<input type="hidden" name="paused" value="1">` : ''}
<label class="visually-hidden" for="q">Filter pipelines by name, source or table</label>
<input id="q" name="q" type="search" value="${search}" maxlength="100" placeholder="Filter by name, topic, table" autocomplete="off" spellcheck="false">
</form>`;
}

/** A link to this page with another filter, or none. */
function address(filter: PipelineFilter, search: string, paused: boolean): string {
  const query = new URLSearchParams();
  if (search !== '') query.set('q', search);
  if (filter !== 'all') query.set('state', filter);
  if (paused) query.set('paused', '1');
  return `?${query}#pipelines`;
}

function matches({ name, source, table, health }: PipelineView, { search, filter }: PageOptions): boolean {
  const group = groups.find((candidate) => candidate.filter === filter);
  if (!group?.healths.includes(health)) return false;
  const wanted = search.trim().toLowerCase();
  return wanted === '' || [name, source, table].some((text) => text.toLowerCase().includes(wanted));
}

function pipelineRow(pipeline: PipelineView): Html {
  const { name, source, table, health, stateText, rowsPerSecond, rowsByMinute } = pipeline;
  const state = html`<span class="state">${bareIcon(health)}<span>${stateText}</span></span>`;
  return html`<tr class="${health}">
<th scope="row"><span class="name">${name}</span><span class="sub">${source} → ${table}</span><span class="narrow">${state}${pipeline.setAside > 0 ? html`, ${setAside(pipeline)} set aside` : ''}</span></th>
<td class="wide">${state}</td>
<td class="num">${lagCell(pipeline)}</td>
<td class="wide">${sparkline(rowsByMinute)}</td>
<td class="num">${rowsPerSecond === null ? html`<span class="muted">not known</span>` : sayRate(rowsPerSecond)}</td>
<td class="num wide">${setAside(pipeline)}</td>
</tr>`;
}

function lagCell({ kind, lagMs, lagRecords }: PipelineView): Html {
  if (kind === 'pubsub') return html`<span class="muted">–</span><span class="sub">unacked not known</span>`;
  if (lagRecords === null) return html`<span class="muted">?</span><span class="sub">not known</span>`;
  return html`${sayDuration(lagMs ?? 0)}<span class="sub">${lagRecords === 0 ? 'nothing waiting' : sayMany(lagRecords, 'record')}</span>`;
}

function setAside({ setAside, setAsideIsMore }: PipelineView): Html {
  if (setAside === 0) return html`<span class="muted">0</span>`;
  return html`<a href="#dead-letters">${sayCount(setAside)}${setAsideIsMore ? '+' : ''}</a>`;
}

function tail(all: number, shown: number, listed: number): Html {
  if (all === 0) {
    return html`<p class="tail">No pipeline is declared. Name one under <code>pipelines:</code> in penstock.yaml, then run <code>npx penstock check</code>.</p>`;
  }
  if (shown === 0) return html`<p class="tail">No pipeline matches. <a href="?#pipelines" data-soft>Show all</a></p>`;
  if (listed < shown)
    return html`<p class="tail">${sayMany(shown - listed, 'further pipeline')}, none worse. Filter to see them.</p>`;
  return html`<p class="tail">${shown === all ? sayMany(all, 'pipeline') : `${sayCount(shown)} of ${sayMany(all, 'pipeline')}`}. Lag is what Kafka holds beyond Spanner’s checkpoint.</p>`;
}
