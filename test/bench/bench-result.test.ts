import assert from 'node:assert/strict';
import { test } from 'node:test';
import { benchResult, formatResult, gained, saved } from './bench-result.ts';

const rounds = [
  { ours: { rate: 200, cpu: 1, rssMb: 90 }, peer: { rate: 100, cpu: 4 } },
  { ours: { rate: 300, cpu: 1, rssMb: 100 }, peer: { rate: 100, cpu: 2 } },
  { ours: { rate: 100, cpu: 1, rssMb: 95 }, peer: { rate: 100, cpu: 3 } },
];
const result = benchResult('trial', rounds, { rate: gained('rate'), cpu: saved('cpu') });

test('benchResult() has the form that results/NAME.json promises, each figure as min, median, max', () => {
  assert.deepEqual(Object.keys(result), ['name', 'date', 'node', 'cpu', 'ours', 'peer', 'ratios']);
  assert.equal(result.name, 'trial');
  assert.equal(result.node, process.version);
  assert.ok(!Number.isNaN(Date.parse(result.date)));
  assert.deepEqual(result.ours.rssMb, { min: 90, median: 95, max: 100 });
  assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
});

test('benchResult() pairs each ratio by round, so that higher is better for rates and for costs', () => {
  assert.deepEqual(result.ratios.rate, { min: 1, median: 2, max: 3 });
  assert.deepEqual(result.ratios.cpu, { min: 2, median: 3, max: 4 });
});

test('benchResult() shows what was measured outside the rounds beside their figures', () => {
  const latencies = [{ eventToStateP99Ms: 80 }, { eventToStateP99Ms: 60 }];
  const { ours, peer } = benchResult('trial', rounds, {}, [latencies, [{ rssAt2mMb: 150 }]]);
  assert.deepEqual(ours.eventToStateP99Ms, { min: 60, median: 70, max: 80 });
  assert.deepEqual(ours.rssAt2mMb, { min: 150, median: 150, max: 150 });
  assert.deepEqual([Object.keys(ours).length, Object.keys(peer)], [5, ['rate', 'cpu']]);
});

test('benchResult() refuses a ratio of figures that a side did not measure', () => {
  assert.throws(() => benchResult('trial', rounds, { rss: saved('rssMb') }), /no figure rssMb among rate, cpu/);
});

test('formatResult() shows every figure of both sides, and a dash where one has none', () => {
  const text = formatResult(result);
  assert.match(text, /^trial, v24/);
  assert.match(text, /^rate +200 \(100 – 300\) +100 \(100 – 100\)$/m);
  assert.match(text, /^rssMb +95 \(90 – 100\) +–$/m);
  assert.match(text, /^ratio cpu +3 \(2 – 4\)$/m);
});
