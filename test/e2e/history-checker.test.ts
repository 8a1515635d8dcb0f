import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EventRow, openEventsCheck } from '../chaos/events-check.ts';
import { openExpectation } from '../chaos/expected-history.ts';
import { type FoundHistory, type TableRows, type TopicRecord, topicPipelines } from '../chaos/history.ts';
import { countDamages, type Damage, findDamages } from '../chaos/history-checker.ts';

const valueText = (sequence: number, more: { amount?: number; version?: number; token?: string } = {}): string => {
  const { amount = 10, version = sequence, token = `t-${sequence}` } = more;
  const at = `2026-01-01T0${sequence % 2}:30:00.000Z`;
  return `{"sequence":${sequence},"amount":${amount},"version":${version},"slot":0,"at":"${at}","token":"${token}"}`;
};

const record = (offset: number, key: string, value: string | null, more: Partial<TopicRecord> = {}): TopicRecord => ({
  partition: 0,
  offset,
  key,
  value,
  version: String(offset + 1),
  type: 'parent',
  ...more,
});

/** Offset 4 is a transaction's mark. */
const records = [
  record(0, 'a', valueText(1)),
  record(1, 'a', valueText(2, { version: 9 }), { type: 'child' }),
  record(2, 'a', '{"sequence": 1'),
  record(3, 'a', valueText(3, { version: 4 }), { version: '2' }),
  record(5, 'b', valueText(4)),
  record(6, 'b', null),
];

function expectationOf(all: readonly TopicRecord[]) {
  const expectation = openExpectation('t');
  for (const one of all) expectation.add(one);
  expectation.publish('m1', { key: 'p', sequence: 5 });
  expectation.publish('m2', { key: 'p', sequence: undefined });
  return expectation.history();
}

const expected = expectationOf(records);

const commitsOf = (pipeline: string): FoundHistory['lineage'] => [
  { pipeline, partition: 0, from: 0, to: 2, records: 2, dead: 0, fence: 1 },
  { pipeline, partition: 0, from: 2, to: 7, records: 4, dead: 1, fence: 3 },
];

const whole: FoundHistory = {
  tables: new Map<string, TableRows>([
    ['Latest', new Map([['a', { EventKey: 'a', Sequence: '3' }]])],
    ['Guarded', new Map([['a', { EventKey: 'a', Sequence: '2', Version: '2' }]])],
    [
      'Counters',
      new Map([
        ['a', countersOf('a', { count: 3, min: 1, max: 3, last: 2, version: 9 })],
        ['b', countersOf('b', { count: 1, min: 4, max: 4, last: 4, version: 4 })],
      ]),
    ],
    [
      'Hourly',
      new Map([
        ['a 2026-01-01T01:00:00Z', hourOf('a', 1, 2)],
        ['a 2026-01-01T00:00:00Z', hourOf('a', 0, 1)],
        ['b 2026-01-01T00:00:00Z', hourOf('b', 0, 1)],
      ]),
    ],
    ['Parents', new Map([['a', { EventKey: 'a', Sequence: '3' }]])],
    ['Children', new Map([['a 0', { EventKey: 'a', Slot: '0', Sequence: '2' }]])],
    ['Pushed', new Map([['p', { EventKey: 'p', EventCount: '1', SequenceSum: '5', SequenceMax: '5' }]])],
  ]),
  checkpoints: topicPipelines.map((pipeline) => ({ pipeline, partition: 0, nextOffset: 7, fence: 3 })),
  lineage: topicPipelines.flatMap(commitsOf),
  deadLetters: [
    ...topicPipelines.map((pipeline) => ({ pipeline, id: 't/0/2', poison: 'undecodable' })),
    { pipeline: 'pushed', id: 'm2', poison: 'undecodable' },
  ],
};

function countersOf(
  EventKey: string,
  { count, min, max, last, version }: Record<'count' | 'min' | 'max' | 'last' | 'version', number>,
) {
  return {
    EventKey,
    EventCount: `${count}`,
    AmountSum: `${10 * count}`,
    SequenceMin: `${min}`,
    SequenceMax: `${max}`,
    LastSequence: `${last}`,
    LastVersion: `${version}`,
  };
}

function hourOf(EventKey: string, hour: number, count: number) {
  return { EventKey, Hour: `2026-01-01T0${hour}:00:00Z`, EventCount: `${count}`, AmountSum: `${10 * count}` };
}

const kindsOf = (damages: readonly Damage[]): string[] => damages.map(({ kind, where }) => `${kind}: ${where}`);
const check = (changes: Partial<FoundHistory>): string[] => kindsOf(findDamages(expected, { ...whole, ...changes }));

function withTable(table: string, change: (rows: Map<string, Record<string, string>>) => void): Partial<FoundHistory> {
  const rows = new Map([...(whole.tables.get(table) ?? [])].map(([key, row]) => [key, { ...row }]));
  change(rows);
  return { tables: new Map<string, TableRows>([...whole.tables, [table, rows]]) };
}

test('findDamages() finds nothing in a whole history, with poison, tombstones, late versions and moved partitions', () => {
  assert.deepEqual(findDamages(expected, whole), []);
});

test('findDamages() names a row that is missing, and one that nobody made', () => {
  assert.deepEqual(check(withTable('Latest', (rows) => rows.delete('a'))), ['lost: Latest a']);
  const deleted = withTable('Parents', (rows) => rows.set('b', { EventKey: 'b', Sequence: '4' }));
  assert.deepEqual(check(deleted), ['unknown: Parents b']);
});

test('findDamages() names a row that an older version or an earlier record has left', () => {
  const row = { EventKey: 'a', Sequence: '3', Version: '2' };
  assert.deepEqual(check(withTable('Guarded', (rows) => rows.set('a', row))), ['reordered: Guarded a']);
  const earlier = { EventKey: 'a', Slot: '0', Sequence: '1' };
  assert.deepEqual(check(withTable('Children', (rows) => rows.set('a 0', earlier))), ['reordered: Children a 0']);
});

test('findDamages() counts records that were added twice, or not', () => {
  const twice = withTable('Counters', (rows) => Object.assign(rows.get('a') ?? {}, { EventCount: '5' }));
  const doubled = findDamages(expected, { ...whole, ...twice });
  assert.deepEqual(kindsOf(doubled), ['doubled: Counters a']);
  assert.equal(countDamages(doubled, 'doubled'), 2);
  assert.deepEqual(check(withTable('Pushed', (rows) => rows.clear())), ['lost: Pushed p']);
  assert.deepEqual(check(withTable('Hourly', (rows) => rows.delete('b 2026-01-01T00:00:00Z'))), [
    'lost: Hourly b 2026-01-01T00:00:00Z',
  ]);
  for (const [column, value] of [
    ['AmountSum', '31'],
    ['SequenceMin', '2'],
    ['LastSequence', '3'],
  ] as const) {
    const exchanged = withTable('Counters', (rows) => Object.assign(rows.get('a') ?? {}, { [column]: value }));
    assert.deepEqual(check(exchanged), ['lost: Counters a', 'doubled: Counters a']);
  }
});

test('findDamages() names a gap, an overlap and wrong counts in the lineage', () => {
  const others = whole.lineage.filter(({ pipeline }) => pipeline !== 'events');
  const [first, second] = commitsOf('events');
  assert.ok(first && second);
  const at = 'broken-lineage: PenstockLineage events 0/';
  const gap = { ...second, from: 3, records: 3, dead: 0 };
  assert.deepEqual(check({ lineage: [...others, first, gap] }), [`${at}3`]);
  assert.deepEqual(check({ lineage: [...others, first, { ...second, from: 1, records: 5 }] }), [`${at}1`]);
  assert.deepEqual(check({ lineage: [...others, first, { ...second, records: 5 }] }), [`${at}2`]);
  assert.deepEqual(check({ lineage: [...others, first, { ...second, dead: 0 }] }), [`${at}2`]);
  assert.deepEqual(check({ lineage: [...others, first] }), ['broken-lineage: PenstockCheckpoints events 0']);
});

test('findDamages() names the commit of an owner that was overtaken', () => {
  const lineage = whole.lineage.map((commit) => (commit.from === 0 ? { ...commit, fence: 4 } : commit));
  const damages = findDamages(expected, { ...whole, lineage });
  assert.equal(damages.filter(({ where }) => where.startsWith('PenstockLineage')).length, topicPipelines.length);
  assert.ok(damages.every(({ kind }) => kind === 'stale-owner'));
});

test('findDamages() names a partition that was not read to its last record', () => {
  const checkpoints = whole.checkpoints.map((one) => ({ ...one, nextOffset: one.pipeline === 'latest' ? 2 : 7 }));
  const lineage = whole.lineage.filter(({ pipeline, from }) => pipeline !== 'latest' || from === 0);
  assert.deepEqual(check({ checkpoints, lineage }), ['lost: PenstockCheckpoints latest 0']);
});

test('findDamages() names dead letters that are missing, strange, of another class, or of a record inserted twice', () => {
  assert.deepEqual(check({ deadLetters: whole.deadLetters.slice(1) }), ['lost: PenstockDeadLetters events t/0/2']);
  const letter = (poison: string, id = 't/0/0') => [...whole.deadLetters, { pipeline: 'events', id, poison }];
  assert.deepEqual(check({ deadLetters: letter('undecodable') }), ['unknown: PenstockDeadLetters events t/0/0']);
  assert.deepEqual(check({ deadLetters: letter('conflict') }), ['doubled: PenstockDeadLetters events t/0/0']);
  const otherwise = whole.deadLetters.map((one) =>
    one.pipeline === 'events' ? { ...one, poison: 'unmappable' } : one,
  );
  assert.deepEqual(check({ deadLetters: otherwise }), ['unknown: PenstockDeadLetters events t/0/2']);
});

const event = (offset: number, key: string, sequence: number): EventRow => {
  return { partition: 0, offset, key, sequence: `${sequence}`, token: `t-${sequence}` };
};
const events = [event(0, 'a', 1), event(1, 'a', 2), event(3, 'a', 3), event(5, 'b', 4)];

function checkEvents(rows: readonly EventRow[]): string[] {
  const checking = openEventsCheck(expected);
  for (const row of rows) checking.see(row);
  return kindsOf(checking.damages());
}

test('openEventsCheck() names rows that are missing, strange, doubled, or another record’s', () => {
  const [first, ...rest] = events;
  assert.ok(first);
  assert.deepEqual(checkEvents(events), []);
  assert.deepEqual(checkEvents(rest), ['lost: Events 0/0']);
  assert.deepEqual(checkEvents([...events, event(9, 'a', 1)]), ['unknown: Events 0/9']);
  assert.deepEqual(checkEvents([...events, event(2, 'a', 1)]), ['unknown: Events 0/2']);
  assert.deepEqual(checkEvents([...events, first]), ['doubled: Events 0/0']);
  assert.deepEqual(checkEvents([event(0, 'a', 2), ...rest]), ['reordered: Events 0/0']);
});

test('openExpectation() knows whom each flaw concerns', () => {
  const lettersOf = (...all: TopicRecord[]): string[] =>
    [...expectationOf(all).deadLetters].filter(([id]) => !id.startsWith('pushed')).map((letter) => letter.join(' '));
  const parent = record(0, 'a', valueText(1));
  assert.deepEqual(lettersOf(record(0, 'a', valueText(1, { amount: -1 }))), ['events t/0/0 constraint']);
  assert.deepEqual(lettersOf(parent, record(1, 'b', valueText(2, { token: 't-1' }))), ['events t/0/1 constraint']);
  assert.deepEqual(lettersOf(record(0, 'orphan', valueText(1), { type: 'child' })), ['routed t/0/0 constraint']);
  assert.deepEqual(lettersOf(record(0, 'a', valueText(1), { type: 'neither' })), ['routed t/0/0 unmappable']);
  const deleted = [parent, record(1, 'a', null), record(2, 'a', valueText(2), { type: 'child' })];
  assert.deepEqual(lettersOf(...deleted), ['routed t/0/2 constraint']);
  const long = lettersOf(record(0, 'k'.repeat(9_000), valueText(1)));
  assert.deepEqual(
    long.map((letter) => letter.split(' ').at(-1)),
    ['unmappable', ...Array.from({ length: 5 }, () => 'too-large')],
  );
  const broken = lettersOf(record(0, 'a', '{"other": 1}'));
  assert.deepEqual(
    broken,
    topicPipelines.map((pipeline) => `${pipeline} t/0/0 unmappable`),
  );
});
