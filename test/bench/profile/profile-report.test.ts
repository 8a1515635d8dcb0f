import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flameGraph } from './flame-graph.ts';
import { profileReport } from './profile-report.ts';
import { readProfile } from './read-profile.ts';

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 0, columnNumber: 0 });
const profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)', ''), children: [2, 3, 4] },
    { id: 2, callFrame: frame('(idle)', '') },
    { id: 3, callFrame: frame('map<row>', 'rows.ts'), children: [5] },
    { id: 4, callFrame: frame('(garbage collector)', '') },
    { id: 5, callFrame: frame('', 'node:buffer') },
  ],
  samples: [2, 3, 5, 4, 3],
  timeDeltas: [900_000, 20_000, 10_000, 30_000, 40_000],
};
const root = readProfile(profile, ({ url }) => url);
const partOf = ({ source }: { readonly source: string }) => source || 'V8';

test('readProfile() gives each sample to the function on top, and leaves idle time out', () => {
  assert.equal(root.totalMicros, 100_000);
  const [idle, map, gc] = root.children;
  assert.deepEqual(
    [idle?.totalMicros, map?.selfMicros, map?.totalMicros, gc?.totalMicros],
    [0, 60_000, 70_000, 30_000],
  );
});

test('profileReport() sums self time by part and by function, the most first', () => {
  const lines = profileReport(root, partOf)
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '));
  assert.deepEqual(lines.slice(2, 6), [
    'By part',
    '60.0 % 60 ms rows.ts',
    '30.0 % 30 ms V8',
    '10.0 % 10 ms node:buffer',
  ]);
  assert.equal(lines[8], '60.0 % 60 ms rows.ts map<row> rows.ts');
});

test('flameGraph() draws each function as wide as its time, and escapes what it writes', () => {
  const svg = flameGraph(root, 'A & B', partOf);
  assert.match(svg, /width="980\.0" height="16"[^>]*\/><text[^>]*>map&lt;row&gt;<\/text>/);
  assert.match(svg, /<title>\(anonymous\) · node:buffer · 10\.00 % · node:buffer<\/title>/);
  assert.match(svg, /A &amp; B/);
  assert.ok(!svg.includes('(idle)') && !svg.includes('<script'));
});

test('flameGraph() draws one box for a function that was called from one place in several copies', () => {
  const child = (micros: number) => ({ name: 'f', source: 's', selfMicros: micros, totalMicros: micros, children: [] });
  const both = { name: '(root)', source: '', selfMicros: 0, totalMicros: 100, children: [child(30), child(70)] };
  assert.equal(flameGraph(both, '', partOf).match(/<title>f /g)?.length, 1);
});
