import { html } from 'hono/html';
import type { EpochSummary, EpochView, ModelView } from '../view/view-model.ts';
import { sayCount, sayDuration, sayLoss, sayMany, sayMoment, sayRate, sayShare } from '../view/words.ts';
import { describeShards, lossCurve, shardMap } from './charts.ts';
import type { Html } from './html.ts';
import { bareIcon } from './icons.ts';

const MAX_CONTAINED = 64;

/** The newest epoch: its shards in key order, how far they are, and which offsets they hold. */
export function epochCard(epoch: EpochView | null, base: string): Html {
  if (!epoch) {
    return html`<section class="card" id="epoch" aria-labelledby="epoch-h">
<header><h2 id="epoch-h">Epoch</h2></header>
<p class="pad muted">No epoch yet. An epoch is a snapshot of a table, read once for a trainer.</p>
</section>`;
  }
  return html`<section class="card" id="epoch" aria-labelledby="epoch-h">
<header><h2 id="epoch-h">Epoch of ${epoch.feed}</h2><span class="more strong">${sayShare(epoch.share)}</span></header>
<div class="pad">
${epoch.shardStates.length > 0 ? shardMap(epoch) : ''}
${legend(epoch)}
<dl class="facts">
<dt>State</dt><dd>${bareIcon(epoch.health)} ${epoch.state}</dd>
<dt>Read at</dt><dd><time datetime="${epoch.readTimestamp}" title="${epoch.readTimestamp}">${sayMoment(Date.parse(epoch.readTimestamp))}</time></dd>
<dt>Rows</dt><dd>${sayCount(epoch.rowCount ?? epoch.rowsDelivered)}</dd>
<dt>Batches</dt><dd>${sayCount(epoch.batchCount ?? epoch.batchesDelivered)}</dd>
${took(epoch)}
</dl>
${reading(epoch)}
${failures(epoch)}
${contents(epoch)}
<p class="id"><a href="${base}/api/epochs/${encodeURIComponent(epoch.id)}">${epoch.id}</a></p>
</div>
</section>`;
}

/** All epochs that are still listed, newest first. */
export function epochsSection(epochs: readonly EpochSummary[], base: string): Html {
  return html`<section class="card" id="epochs" aria-labelledby="epochs-h">
<header><h2 id="epochs-h">Epochs</h2><span class="muted">newest first</span><a class="more" href="${base}/api/epochs">as JSON</a></header>
${
  epochs.length === 0
    ? html`<p class="tail">None yet. <code>npx penstock epoch start FEED</code> plans the first.</p>`
    : html`<div class="scroll"><table>
<caption class="visually-hidden">Epochs with their state, read timestamp, shards and rows</caption>
<thead><tr><th scope="col">Epoch</th><th scope="col">State</th><th scope="col" class="wide">Read at</th><th scope="col" class="num wide">Shards</th><th scope="col" class="num">Rows</th><th scope="col" class="num wide">Batches</th><th scope="col" class="num wide">Took</th></tr></thead>
<tbody>${epochs.map((epoch) => epochRow(epoch, base))}</tbody>
</table></div>`
}
</section>`;
}

/** What the trainer makes of the epoch. */
export function modelCard(model: ModelView | null): Html {
  const points = (model?.losses.length ?? 0) + (model?.evaluations.length ?? 0);
  return html`<section class="card" id="model" aria-labelledby="model-h">
<header><h2 id="model-h">Model</h2>${model ? html`<span class="more state">${bareIcon(model.health)}<span>${model.reachable ? model.state : 'not reached'}</span></span>` : ''}</header>
<div class="pad">
${model ? (model.reachable ? modelBody(model, points) : html`<p class="muted">The trainer did not answer within a second. What it has learned is safe in its checkpoint.</p>`) : html`<p class="muted">No epoch has been sent to a trainer.</p>`}
</div>
</section>`;
}

function legend({ shards }: EpochView): Html {
  const keys = (['done', 'reading', 'waiting', 'failed'] as const).filter((state) => shards[state] > 0);
  return html`<ul class="legend" aria-label="Shards: ${describeShards(shards)}">${keys.map(
    (state) => html`<li><i class="k-${state}"></i>${sayCount(shards[state])} ${state}</li>`,
  )}</ul>`;
}

function took(epoch: EpochView): Html | '' {
  if (epoch.remainingMs !== null) return html`<dt>Left</dt><dd>${sayDuration(epoch.remainingMs)}</dd>`;
  if (epoch.deliveredAtMs === null) return '';
  const rate = epoch.rowsPerSecond === null ? '' : `, ${sayRate(epoch.rowsPerSecond)} rows/s`;
  return html`<dt>Took</dt><dd>${sayDuration(epoch.deliveredAtMs - epoch.plannedAtMs)}${rate}</dd>`;
}

function reading({ reading, shards }: EpochView): Html | '' {
  if (reading.length === 0) return '';
  const further = shards.reading - reading.length;
  return html`<details id="reading" open><summary>${sayMany(shards.reading, 'shard')} being read</summary>
<table class="plain"><caption class="visually-hidden">Shards being read, those that need longest first</caption>
<thead><tr><th scope="col">Shard</th><th scope="col" class="num">Done</th><th scope="col" class="num">Rows</th><th scope="col" class="num">Rows/s</th><th scope="col" class="num">Left</th></tr></thead>
<tbody>${reading.map(
    (shard) =>
      html`<tr><th scope="row">${shard.shard}</th><td class="num">${sayShare(shard.share)}</td><td class="num">${sayCount(shard.rows)}</td><td class="num">${sayRate(shard.rowsPerSecond)}</td><td class="num">${sayDuration(shard.leftMs)}</td></tr>`,
  )}</tbody></table>
${further > 0 ? html`<p class="muted">${sayMany(further, 'further shard')} that need less.</p>` : ''}</details>`;
}

function failures({ failures, error }: EpochView): Html | '' {
  if (failures.length === 0 && error === null) return '';
  return html`<ul class="failures">
${error === null ? '' : html`<li>${bareIcon('bad')}<span>${error}</span></li>`}
${failures.map((failure) => html`<li>${bareIcon('bad')}<span>Shard ${failure.shard}: ${failure.error}</span></li>`)}</ul>`;
}

function contents({ contains }: EpochView): Html | '' {
  if (contains.length === 0) return '';
  return html`<details id="contains"><summary>Contains offsets of ${sayMany(contains.length, 'partition')}</summary>
<table class="plain"><caption class="visually-hidden">Everything below these offsets is in the snapshot</caption>
<thead><tr><th scope="col">Topic and partition</th><th scope="col" class="num">Below offset</th></tr></thead>
<tbody>${contains
    .slice(0, MAX_CONTAINED)
    .map(
      ({ pipeline, topic, partition, nextOffset }) =>
        html`<tr><th scope="row">${topic} / ${partition}<span class="sub">${pipeline}</span></th><td class="num">${sayOffset(nextOffset)}</td></tr>`,
    )}</tbody></table>
${contains.length > MAX_CONTAINED ? html`<p class="muted">${sayMany(contains.length - MAX_CONTAINED, 'further partition')} in the JSON.</p>` : ''}</details>`;
}

function epochRow(epoch: EpochSummary, base: string): Html {
  const tookMs = epoch.deliveredAtMs === null ? null : epoch.deliveredAtMs - epoch.plannedAtMs;
  const dash = html`<span class="muted">–</span>`;
  return html`<tr class="${epoch.health}">
<th scope="row"><a class="name" href="${base}/api/epochs/${encodeURIComponent(epoch.id)}">${epoch.feed}</a><span class="sub id">${epoch.id}</span></th>
<td><span class="state">${bareIcon(epoch.health)}<span>${epoch.state}</span></span>${epoch.error === null ? '' : html`<span class="sub">${epoch.error}</span>`}</td>
<td class="wide"><time datetime="${epoch.readTimestamp}">${sayMoment(Date.parse(epoch.readTimestamp))}</time></td>
<td class="num wide">${sayCount(epoch.shardCount)}</td>
<td class="num">${epoch.rowCount === null ? dash : sayCount(epoch.rowCount)}</td>
<td class="num wide">${epoch.batchCount === null ? dash : sayCount(epoch.batchCount)}</td>
<td class="num wide">${tookMs === null ? dash : sayDuration(tookMs)}</td>
</tr>`;
}

function modelBody(model: ModelView, points: number): Html {
  const { lastLoss, evaluations, error } = model;
  const heldOut = evaluations.at(-1)?.loss;
  return html`${error === null ? '' : html`<ul class="failures"><li>${bareIcon('bad')}<span>${error}</span></li></ul>`}
${points > 1 ? lossCurve(model) : html`<p class="muted">${sayMany(model.batches, 'batch', 'batches')} taken, no step yet.</p>`}
${points > 1 ? html`<ul class="legend" aria-label="Losses"><li><i class="k-train"></i>training ${lastLoss === null ? '–' : sayLoss(lastLoss)}</li><li><i class="k-eval"></i>held out ${heldOut === undefined ? '–' : sayLoss(heldOut)}</li></ul>` : ''}
<dl class="facts">
<dt>AUC</dt><dd>${auc(model)}</dd>
<dt>Position</dt><dd>${model.state === 'trained' ? `all ${sayMany(model.passes, 'pass', 'passes')}` : `pass ${sayCount(Math.min(model.pass + 1, model.passes))}/${sayCount(model.passes)}, batch ${sayCount(model.batch)}`}</dd>
<dt>Steps</dt><dd>${sayCount(model.steps)}</dd>
<dt>Seen once</dt><dd>${sayCount(model.rowsSeenOnce)} of ${sayMany(model.rows, 'row')}</dd>
<dt>Waited for batches</dt><dd>${model.waitShare === null ? '–' : sayShare(model.waitShare)}</dd>
</dl>
${evaluations.length === 0 ? '' : evaluationTable(model)}`;
}

function auc({ auc, baselineAuc }: ModelView): string {
  if (auc === null) return baselineAuc === null ? '–' : `–, base ${sayLoss(baselineAuc)}`;
  return baselineAuc === null ? sayLoss(auc) : `${sayLoss(auc)}, base ${sayLoss(baselineAuc)}`;
}

function evaluationTable({ evaluations }: ModelView): Html {
  return html`<details id="evaluations"><summary>Held-out loss as a table</summary>
<table class="plain"><caption class="visually-hidden">Loss and AUC on the held-out rows after each pass</caption>
<thead><tr><th scope="col">Pass</th><th scope="col" class="num">Step</th><th scope="col" class="num">Loss</th><th scope="col" class="num">AUC</th></tr></thead>
<tbody>${evaluations.slice(-50).map(({ pass, step, loss, auc }) => html`<tr><th scope="row">${pass}</th><td class="num">${sayCount(step)}</td><td class="num">${sayLoss(loss)}</td><td class="num">${sayLoss(auc)}</td></tr>`)}</tbody></table></details>`;
}

/** Offsets of a manifest are text: what is no number stays as it is. */
function sayOffset(offset: string): string {
  return /^\d{1,19}$/.test(offset) ? sayCount(BigInt(offset)) : offset;
}
