import { scaleLinear, scaleOrdinal } from 'd3-scale';
import type { PartOf } from './profile-report.ts';
import type { ProfileNode } from './read-profile.ts';

const WIDTH = 1400;
const ROW = 17;
const TOP = 52;
/** Narrower, a box could be neither seen nor hit. */
const LEAST_WIDTH = 0.7;
const LETTER_WIDTH = 6.3;
const COLOURS = ['#f4a259', '#8cb369', '#5b8fb9', '#bc6c8c', '#c9b458', '#6fb1a0', '#a08fc9', '#b5b5b5', '#d98c7a'];

/**
 * Draws a profile as a flame graph: callers below, what they call above, as wide as its time; the title of a box tells
 * all. Readable without script.
 *
 * @param title is written above
 */
export function flameGraph(root: ProfileNode, title: string, partOf: PartOf): string {
  const x = scaleLinear([0, root.totalMicros], [0, WIDTH]);
  const colour = scaleOrdinal<string, string>(COLOURS);
  const boxes: { readonly node: ProfileNode; readonly from: number; readonly depth: number }[] = [];
  const place = (node: ProfileNode, from: number, depth: number): void => {
    if (x(node.totalMicros) < LEAST_WIDTH) return;
    boxes.push({ node, from, depth });
    let at = from;
    for (const child of mergeSame(node.children)) {
      place(child, at, depth + 1);
      at += child.totalMicros;
    }
  };
  place(root, 0, 0);
  const deepest = boxes.reduce((most, { depth }) => Math.max(most, depth), 0);
  const height = TOP + (deepest + 1) * ROW + 8;
  const drawn = boxes.map(({ node, from, depth }) => {
    const share = ((node.totalMicros / root.totalMicros) * 100).toFixed(2);
    const width = x(node.totalMicros);
    const part = partOf(node);
    const y = height - (depth + 1) * ROW - 4;
    const tip = `${node.name} · ${part} · ${share} %${node.source === '' ? '' : ` · ${node.source}`}`;
    const letters = Math.floor((width - 4) / LETTER_WIDTH);
    const label =
      letters < 3 ? '' : `<text x="${(x(from) + 3).toFixed(1)}" y="${y + 12}">${cut(node.name, letters)}</text>`;
    const fill = depth === 0 ? '#dddddd' : colour(part);
    const box = `<rect x="${x(from).toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${fill}"/>`;
    return `<g><title>${escapeText(tip)}</title>${box}${label}</g>`;
  });
  const legend = colour.domain().map((part, at) => {
    const left = 8 + at * 140;
    return `<rect x="${left}" y="30" width="11" height="11" fill="${colour(part)}"/><text x="${left + 16}" y="40">${escapeText(part)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="ui-monospace, monospace" font-size="10.5">`,
    `<rect width="100%" height="100%" fill="#ffffff"/><text x="8" y="18" font-size="13">${escapeText(title)}</text>`,
    ...legend,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

/** One function called from one place is one box, however many inlined copies V8 told apart. */
function mergeSame(nodes: readonly ProfileNode[]): ProfileNode[] {
  const groups = Map.groupBy(nodes, ({ name, source }) => `${name} ${source}`);
  const merged = [...groups.values()].map((same): ProfileNode => {
    const [first, ...others] = same;
    if (!first) throw new Error('A group is never empty');
    if (others.length === 0) return first;
    return {
      ...first,
      selfMicros: same.reduce((sum, { selfMicros }) => sum + selfMicros, 0),
      totalMicros: same.reduce((sum, { totalMicros }) => sum + totalMicros, 0),
      children: same.flatMap(({ children }) => children),
    };
  });
  return merged.sort((left, right) => right.totalMicros - left.totalMicros);
}

function cut(name: string, letters: number): string {
  return escapeText(name.length <= letters ? name : `${name.slice(0, letters - 1)}…`);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
