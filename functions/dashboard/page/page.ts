import { html } from 'hono/html';
import type { Need, Overview, Stage } from '../view/view-model.ts';
import { sayCount } from '../view/words.ts';
import type { Html } from './html.ts';
import { icon, sprite } from './icons.ts';
import { approvalsSection } from './page-approvals.ts';
import { deadLettersSection } from './page-dead-letters.ts';
import { deedsSection } from './page-deeds.ts';
import { epochCard, epochsSection, modelCard } from './page-epochs.ts';
import type { PageOptions } from './page-options.ts';
import { pipelinesSection } from './page-pipelines.ts';
import { secretsSection } from './page-secrets.ts';

/** Seconds after which a page without JavaScript loads itself again. */
const REFRESH_SECONDS = 10;

/** The whole page. */
export function renderPage(overview: Overview, options: PageOptions): Html {
  const { base, assets, paused } = options;
  const count = overview.needs.length;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${count === 0 ? 'All well' : `${count} need you`} · ${databaseName(overview.database)} · Penstock</title>
<link rel="icon" href="${assets.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${assets.css}">
${paused ? '' : html`<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}"></noscript>`}
<script src="${assets.morph}" defer></script>
<script src="${assets.script}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to what needs you</a>
${sprite}
${topBar(overview, options)}
<main id="main" tabindex="-1">
${verdict(overview)}
${overview.firstSteps.length > 0 ? firstSteps(overview) : ''}
${way(overview.stages)}
${needs(overview.needs, base)}
<div class="cols">
<div class="stack">
${pipelinesSection(overview.pipelines, options)}
${epochsSection(overview.epochs, base)}
</div>
<div class="stack">
${epochCard(overview.epoch, base)}
${modelCard(overview.model)}
</div>
</div>
${approvalsSection(overview.approvals, options)}
${secretsSection(overview.secrets, base)}
${deadLettersSection(overview.deadLetters, base)}
${deedsSection(overview.deeds, base)}
</main>
<footer><span>This page as JSON: <a href="${base}/api/overview">/api/overview</a></span><span>Times in UTC</span><span>One look reads Spanner once, at one timestamp</span></footer>
</body>
</html>`;
}

/** The page in place of the page: when nobody may see it, or nothing can be read. */
export function renderNotice(
  notice: {
    readonly title: string;
    readonly detail: string;
    readonly command?: string;
    readonly link?: { readonly href: string; readonly text: string };
    readonly retry: boolean;
  },
  assets: PageOptions['assets'] | undefined,
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${notice.title} · Penstock</title>
${notice.retry ? html`<meta http-equiv="refresh" content="5">` : ''}
${assets ? html`<link rel="icon" href="${assets.icon}" type="image/svg+xml"><link rel="stylesheet" href="${assets.css}">` : ''}
</head>
<body>
<main id="main" class="notice">
<p class="brand">${brandMark()}Penstock</p>
<h1>${notice.title}</h1>
<p>${notice.detail}</p>
${notice.command === undefined ? '' : html`<p><code class="cmd">${notice.command}</code></p>`}
${notice.link === undefined ? '' : html`<p><a class="sign-in" href="${notice.link.href}">${notice.link.text}</a></p>`}
</main>
</body>
</html>`;
}

function topBar(overview: Overview, { paused, search, filter, session, base }: PageOptions): Html {
  const { total, isMore } = overview.deadLetters;
  const badge = total === 0 ? '' : html`<span class="n">${sayCount(total)}${isMore ? '+' : ''}</span>`;
  const [project, instance, database] = databaseParts(overview.database);
  return html`<header class="bar">
<a class="brand" href="#main">${brandMark()}Penstock</a>
<span class="where"><span class="visually-hidden">Database </span>${project} / ${instance} / <strong>${database}</strong></span>
<nav aria-label="Sections"><ul>
<li><a href="#main" aria-current="true">Overview</a></li>
<li><a href="#pipelines">Pipelines</a></li>
<li><a href="#epochs">Epochs</a></li>
<li><a href="#model">Model</a></li>
<li><a href="#dead-letters">Dead letters${badge}</a></li>
${overview.secrets.length === 0 ? '' : html`<li><a href="#secrets">Secrets</a></li>`}
<li><a href="#audit">Audit</a></li>
</ul></nav>
<form class="live" id="live" method="get" data-paused="${paused ? 'true' : 'false'}">
<span class="dot" aria-hidden="true"></span>
<span>As of <time id="as-of" datetime="${overview.asOf}">${overview.asOf.slice(11, 19)} UTC</time></span>
${search === '' ? '' : html`<input type="hidden" name="q" value="${search}">`}
${filter === 'all' ? '' : html`<input type="hidden" name="state" value="${filter}">`}
${paused ? '' : html`<input type="hidden" name="paused" value="1">`}
<button id="pause">${paused ? 'Resume' : 'Pause'}</button>
<span id="trouble" role="status"></span>
</form>
${session === undefined ? '' : signOut(session, base)}
</header>`;
}

function signOut({ name, formToken }: NonNullable<PageOptions['session']>, base: string): Html {
  return html`<form class="who" method="post" action="${base}/logout">
<span>${name}</span>
<input type="hidden" name="token" value="${formToken}">
<button>Sign out</button>
</form>`;
}

function verdict({ verdict }: Overview): Html {
  return html`<section class="verdict" aria-label="Verdict">
<span class="sign">${icon(verdict.health)}</span>
<h1>${verdict.title}</h1>
<p>${keepUnits(verdict.detail)}</p>
</section>`;
}

function firstSteps({ firstSteps }: Overview): Html {
  return html`<section class="card" aria-labelledby="first-h">
<header><h2 id="first-h">First steps</h2></header>
<ol class="steps">${firstSteps.map(({ text, command }) => html`<li><p>${text}</p><code class="cmd">${command}</code></li>`)}</ol>
</section>`;
}

function way(stages: readonly Stage[]): Html {
  return html`<section class="way" aria-label="The way of the data"><ol>${stages.map(
    (stage) => html`<li class="${stage.health}">
<h2 class="pipe"><span>${stage.name}</span><span class="rate">${stage.rate}</span></h2>
<p class="q">${stage.question}</p>
<p class="a">${icon(stage.health)}<span>${keepUnits(stage.answer)}</span></p>
<p class="d">${stage.detail}${stage.link ? html` <a href="${stage.link.href}">${stage.link.text}</a>` : ''}</p>
</li>`,
  )}</ol></section>`;
}

function needs(list: readonly Need[], base: string): Html | '' {
  if (list.length === 0) return '';
  return html`<section class="card needs" id="needs" aria-labelledby="needs-h">
<header><h2 id="needs-h">Needs you</h2></header>
<ul>${list.map(
    (need) => html`<li>
${icon(need.health)}
<div><h3>${need.title}</h3>
<p>${need.detail}</p>
<code class="cmd">${need.command}</code></div>
<a class="button${need.isAsked ? ' main' : ''}" href="${need.href.startsWith('/') ? base : ''}${need.href}">${need.isAsked ? 'Review' : 'See why'}<span class="visually-hidden">: ${need.title}</span></a>
</li>`,
  )}</ul>
</section>`;
}

/** A figure and its unit stay on one line. */
function keepUnits(text: string): string {
  return text.replace(/(\d) (?=%|[smhd]\b)/g, '$1\u00a0');
}

function brandMark(): Html {
  return html`<svg viewBox="0 0 32 32" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="3.2" stroke-linecap="round"><path d="M3 6h6c5 0 7 3 7 7"/><circle cx="18" cy="20" r="8.5"/><path d="M18 20c0-3.4 1.6-4.8 4-4.8M18 20c2.9 1.7 3.4 3.8 2.2 5.9M18 20c-2.9 1.7-5 1.1-6.2-1"/></g></svg>`;
}

function databaseParts(database: string): [string, string, string] {
  const match = /^projects\/([^/]+)\/instances\/([^/]+)\/databases\/([^/]+)$/.exec(database);
  return [match?.[1] ?? '', match?.[2] ?? '', match?.[3] ?? database];
}

function databaseName(database: string): string {
  return databaseParts(database)[2];
}
