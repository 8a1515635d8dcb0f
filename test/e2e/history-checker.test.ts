import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FoundHistory, ProducedHistory } from '../chaos/history.ts';
import { countDamages, type Damage, findDamages } from '../chaos/history-checker.ts';

const produced: ProducedHistory = {
  topic: 't',
  partitions: [
    [
      { key: 'a', sequence: 1 },
      { key: 'a', sequence: 2 },
      { key: 'a', sequence: undefined },
      { key: 'a', sequence: 1 },
    ],
  ],
  published: new Map([
    ['m1', { key: 'p', sequence: 5 }],
    ['m2', { key: 'p', sequence: undefined }],
  ]),
};

type Commit = FoundHistory['lineage'][number];

const commitsOf = (pipeline: string): Commit[] => [
  { pipeline, partition: 0, from: 0, to: 2, records: 2, fence: 1 },
  { pipeline, partition: 0, from: 2, to: 4, records: 2, fence: 3 },
];

const whole: FoundHistory = {
  events: [
    { partition: 0, offset: 0, key: 'a', sequence: 1 },
    { partition: 0, offset: 1, key: 'a', sequence: 2 },
    { partition: 0, offset: 3, key: 'a', sequence: 1 },
  ],
  latest: new Map([['a', 1]]),
  counters: new Map([['a', { count: 3, sum: 4, max: 2 }]]),
  pushed: new Map([['p', { count: 1, sum: 5, max: 5 }]]),
  checkpoints: ['events', 'latest', 'counters'].map((pipeline) => ({
    pipeline,
    partition: 0,
    nextOffset: 4,
    fence: 3,
  })),
  lineage: ['events', 'latest', 'counters'].flatMap(commitsOf),
  deadLetters: [
    ...['events', 'latest', 'counters'].map((pipeline) => ({ pipeline, id: 't/0/2', poison: 'undecodable' })),
    { pipeline: 'pushed', id: 'm2', poison: 'undecodable' },
  ],
};

const kindsOf = (damages: readonly Damage[]): string[] => damages.map(({ kind, where }) => `${kind}: ${where}`);
const check = (changes: Partial<FoundHistory>): string[] => kindsOf(findDamages(produced, { ...whole, ...changes }));

test('findDamages() finds nothing in a whole history, with duplicates, poison and moved partitions in it', () => {
  assert.deepEqual(findDamages(produced, whole), []);
});

test('findDamages() names a row that is missing', () => {
  assert.deepEqual(check({ events: whole.events.slice(1) }), ['lost: Events 0/0']);
});

test('findDamages() names a row whose record nobody produced', () => {
  const stray = { partition: 0, offset: 9, key: 'a', sequence: 1 };
  assert.deepEqual(check({ events: [...whole.events, stray] }), ['unknown: Events 0/9']);
});

test('findDamages() names poison that became a row', () => {
  const row = { partition: 0, offset: 2, key: 'a', sequence: 1 };
  assert.deepEqual(check({ events: [...whole.events, row] }), ['unknown: Events 0/2']);
});

test('findDamages() names a row that holds another record than its offset', () => {
  const [first, second, ...rest] = whole.events;
  assert.ok(first && second);
  const events = [{ ...first, sequence: 2 }, { ...second, sequence: 1 }, ...rest];
  assert.deepEqual(check({ events }), ['reordered: Events 0/0', 'reordered: Events 0/1']);
});

test('findDamages() names a key whose last record is not the one that came last', () => {
  assert.deepEqual(check({ latest: new Map([['a', 2]]) }), ['reordered: Latest a']);
  assert.deepEqual(check({ latest: new Map() }), ['lost: Latest a']);
});

test('findDamages() counts records that were added twice, or not', () => {
  const doubled = findDamages(produced, { ...whole, counters: new Map([['a', { count: 5, sum: 7, max: 2 }]]) });
  assert.deepEqual(kindsOf(doubled), ['doubled: Counters a']);
  assert.equal(countDamages(doubled, 'doubled'), 2);
  assert.deepEqual(check({ pushed: new Map() }), ['lost: Pushed p']);
  const exchanged = new Map([['a', { count: 3, sum: 5, max: 2 }]]);
  assert.deepEqual(check({ counters: exchanged }), ['lost: Counters a', 'doubled: Counters a']);
});

test('findDamages() names a gap, an overlap and a wrong count in the lineage', () => {
  const others = whole.lineage.filter(({ pipeline }) => pipeline !== 'events');
  const [first, second] = commitsOf('events');
  assert.ok(first && second);
  const at = 'broken-lineage: PenstockLineage events 0/';
  assert.deepEqual(check({ lineage: [...others, first, { ...second, from: 3, records: 1 }] }), [`${at}3`]);
  assert.deepEqual(check({ lineage: [...others, first, { ...second, from: 1, records: 3 }] }), [`${at}1`]);
  assert.deepEqual(check({ lineage: [...others, first, { ...second, records: 1 }] }), [`${at}2`]);
  assert.deepEqual(check({ lineage: [...others, first] }), ['broken-lineage: PenstockCheckpoints events 0']);
});

test('findDamages() names the commit of an owner that was overtaken', () => {
  const lineage = whole.lineage.map((commit) => (commit.from === 0 ? { ...commit, fence: 4 } : commit));
  const damages = findDamages(produced, { ...whole, lineage });
  assert.equal(damages.filter(({ where }) => where.startsWith('PenstockLineage')).length, 3);
  assert.ok(damages.every(({ kind }) => kind === 'stale-owner'));
});

test('findDamages() names a partition that was not read to its end', () => {
  const checkpoints = whole.checkpoints.map((one) => ({ ...one, nextOffset: one.pipeline === 'latest' ? 2 : 4 }));
  const lineage = whole.lineage.filter(({ pipeline, from }) => pipeline !== 'latest' || from === 0);
  assert.deepEqual(check({ checkpoints, lineage }), ['lost: PenstockCheckpoints latest 0']);
});

test('findDamages() names dead letters that are missing, strange, or of a record that was inserted twice', () => {
  assert.deepEqual(check({ deadLetters: whole.deadLetters.slice(1) }), ['lost: PenstockDeadLetters events t/0/2']);
  const strange = { pipeline: 'events', id: 't/0/0', poison: 'undecodable' };
  assert.deepEqual(check({ deadLetters: [...whole.deadLetters, strange] }), [
    'unknown: PenstockDeadLetters events t/0/0',
  ]);
  const twice = { pipeline: 'events', id: 't/0/0', poison: 'constraint' };
  assert.deepEqual(check({ deadLetters: [...whole.deadLetters, twice] }), [
    'doubled: PenstockDeadLetters events t/0/0',
  ]);
});
