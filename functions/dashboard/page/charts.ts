import { scaleLinear } from 'd3-scale';
import { area, curveLinear, line } from 'd3-shape';
import { html } from 'hono/html';
import type { EpochView, ModelView, ShardState } from '../view/view-model.ts';
import { sayCount, sayLoss, sayMany } from '../view/words.ts';
import type { Html } from './html.ts';

const spark = { width: 96, height: 26 };
const loss = { width: 340, height: 150, left: 36, right: 8, top: 10, bottom: 22 };
const shardColumns = 160;
/** Points of a curve that the page carries: more cannot be told apart on it. */
const maxCurvePoints = 240;

/** Rows by minute as a small line over its area, named in words. */
export function sparkline(rowsByMinute: readonly number[]): Html {
  const most = Math.max(...rowsByMinute, 0);
  const last = rowsByMinute.length - 1;
  const x = scaleLinear([0, Math.max(1, last)], [0, spark.width]);
  const y = scaleLinear([0, Math.max(1, most)], [spark.height - 2, 3]);
  const points = rowsByMinute.map((rows, minute): [number, number] => [x(minute), y(rows)]);
  const stroke = line().curve(curveLinear).digits(1)(points) ?? '';
  const fill = area().digits(1).y0(spark.height)(points) ?? '';
  const label =
    most === 0
      ? 'No rows in the last 30 minutes'
      : `Rows by minute over 30 minutes, at most ${sayCount(most)} a minute`;
  return html`<svg class="spark" viewBox="0 0 ${spark.width} ${spark.height}" preserveAspectRatio="none" role="img" aria-label="${label}"><path class="f" d="${fill}"/><path class="l" d="${stroke}"/></svg>`;
}

/** Every shard as one cell in key order, drawn as one path for each state: 10,000 shards stay a few KB. */
export function shardMap({ shardStates, shards }: EpochView): Html {
  const columns = columnsFor(shardStates.length);
  const rows = Math.max(1, Math.ceil(shardStates.length / columns));
  const cell = shardStates.length <= 64 ? 0.94 : 1;
  const label = `${sayMany(shardStates.length, 'shard')} in key order: ${describeShards(shards)}`;
  const paths = (['done', 'reading', 'failed', 'waiting'] as const)
    .map((state) => ({ state, d: cellsPath(shardStates, state, columns, cell) }))
    .filter(({ d }) => d !== '');
  const ratio = shardStates.length <= 64 ? 'tall' : 'map';
  return html`<svg class="shards ${ratio}" viewBox="0 0 ${columns} ${rows}" preserveAspectRatio="none" role="img" aria-label="${label}">${paths.map(
    ({ state, d }) => html`<path class="${state}" d="${d}"/>`,
  )}</svg>`;
}

/** `6 done, 1 reading, 1 waiting`. */
export function describeShards(shards: EpochView['shards']): string {
  const said = (['done', 'reading', 'waiting', 'failed'] as const)
    .filter((state) => shards[state] > 0)
    .map((state) => `${sayCount(shards[state])} ${state}`);
  return said.length === 0 ? 'none planned' : said.join(', ');
}

/** Training loss as a line, held-out loss as a line with a point for each pass. */
export function lossCurve(model: ModelView): Html {
  const losses = thin(model.losses);
  const values = [...losses, ...model.evaluations].map((point) => point.loss);
  const steps = Math.max(
    1,
    model.steps,
    ...losses.map(({ step }) => step),
    ...model.evaluations.map(({ step }) => step),
  );
  const x = scaleLinear([0, steps], [loss.left, loss.width - loss.right]);
  const y = scaleLinear([Math.min(...values), Math.max(...values)], [loss.height - loss.bottom, loss.top]).nice(4);
  const at = (point: { step: number; loss: number }): [number, number] => [x(point.step), y(point.loss)];
  const stroke = (points: readonly { step: number; loss: number }[]) => line().digits(1)(points.map(at)) ?? '';
  const grid = y.ticks(4).map((tick) => {
    const height = y(tick).toFixed(1);
    return html`<path class="grid" d="M${loss.left} ${height}H${loss.width - loss.right}"/><text x="${loss.left - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${y.tickFormat(4)(tick)}</text>`;
  });
  const dots = model.evaluations.map((point) => {
    const [cx, cy] = at(point);
    return html`<circle class="pt" cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="2.6"/>`;
  });
  return html`<svg class="loss" viewBox="0 0 ${loss.width} ${loss.height}" role="img" aria-label="${describeLoss(model, steps)}">${grid}<path class="train" d="${stroke(losses)}"/><path class="eval" d="${stroke(model.evaluations)}"/>${dots}<text x="${loss.left}" y="${loss.height - 4}">step 0</text><text x="${loss.width - loss.right}" y="${loss.height - 4}" text-anchor="end">${sayCount(steps)}</text></svg>`;
}

function describeLoss({ losses, evaluations }: ModelView, steps: number): string {
  const said = (name: string, points: readonly { loss: number }[]) => {
    const [first, last] = [points[0], points.at(-1)];
    return first && last ? `${name} ${sayLoss(first.loss)} to ${sayLoss(last.loss)}` : `${name} not measured yet`;
  };
  return `Loss over ${sayCount(steps)} steps: ${said('training', losses)}, ${said('held out', evaluations)}`;
}

/** Every n-th point and the last. */
function thin<T>(points: readonly T[]): T[] {
  const every = Math.ceil(points.length / maxCurvePoints);
  return points.filter((_, index) => index % every === 0 || index === points.length - 1);
}

function columnsFor(count: number): number {
  if (count <= 16) return Math.max(1, count);
  if (count <= 64) return 16;
  return Math.min(shardColumns, Math.ceil(Math.sqrt(count * 2.5)));
}

/** Runs of neighbouring cells of one state, each as one rectangle. */
function cellsPath(states: readonly ShardState[], wanted: ShardState, columns: number, cell: number): string {
  const gap = cell < 1;
  let path = '';
  for (let at = 0; at < states.length; ) {
    if (states[at] !== wanted) {
      at += 1;
      continue;
    }
    const [column, row] = [at % columns, Math.floor(at / columns)];
    let run = 1;
    while (!gap && column + run < columns && states[at + run] === wanted) run += 1;
    const width = gap ? cell : run;
    path += `M${column} ${row}h${width}v${cell}h-${width}z`;
    at += run;
  }
  return path;
}
