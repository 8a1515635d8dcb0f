import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Aggregate, Pipeline, Target } from '../../../../../shared/model/config/declaration.ts';
import { checkPipeline } from '../../../../../shared/model/events/tables/check-pipeline.ts';
import { plainColumn, plainPipeline, plainTarget } from '../../config/plain-pipeline.ts';
import { column, field, table } from '../pipeline-fixture.ts';

const schema = table([
  column('Id', 'STRING(9)', { notNull: true }),
  column('N', 'INT64'),
  column('X', 'FLOAT64'),
  column('At', 'TIMESTAMP'),
  column('Name', 'STRING(4)'),
  column('List', 'ARRAY<INT64>'),
  column('Made', 'INT64', { generated: true }),
  column('Must', 'INT64', { notNull: true, hasDefault: true }),
]);

function problemsOf(more: Partial<Target>, pipeline: Partial<Pipeline> = {}, others: Target[] = []): string[] {
  const columns = [plainColumn('Id', { kind: 'key' }), ...(more.columns ?? [])];
  const target = plainTarget({ ...more, columns: more.mode === 'aggregate' ? [] : columns });
  const whole = { ...plainPipeline({}), ...pipeline, targets: [...others, target] };
  return checkPipeline(whole, new Map([['T', schema]]), 'd').map(({ path, message }) => {
    assert.doesNotMatch(message, /undefined|\[object/);
    return `${path.replace(/^pipelines\.p\.(routes\.\d\.)?/, '')}: ${message}`;
  });
}

function aggregateOf(...into: Aggregate['into']): Partial<Target> {
  return { mode: 'aggregate', aggregate: { groupBy: [field('Id', 'id')], into } };
}

const key = { columns: [plainColumn('Id', { kind: 'key' })] };

for (const [name, more, pipeline, expected] of [
  ['a guard in mode insert', { guard: 'N', mode: 'insert' }, {}, []],
  ['a guard without order', { guard: 'List' }, {}, ['guard: ARRAY<INT64> has no order']],
  ['a guard that the database fills', { guard: 'Made' }, {}, ['guard: column Made is generated']],
  [
    'bits of a FLOAT64',
    { columns: [plainColumn('X', { kind: 'field', path: 'x' }, { bitReverse: true })] },
    {},
    ['columns.X: FLOAT64 has no bits to reverse'],
  ],
  [
    'windows of an INT64',
    { columns: [plainColumn('N', { kind: 'field', path: 'n' }, { windowMs: 60_000 })] },
    {},
    ['columns.N: INT64 has no windows'],
  ],
  ['a hash of a declared column', { columns: [plainColumn('N', { kind: 'hash', of: ['id'], buckets: 9 })] }, {}, []],
  [
    'a hash of what a record may leave out',
    { columns: [plainColumn('N', { kind: 'hash', of: ['Name'], buckets: 9 })] },
    {},
    ['columns.N: is made of Name, which a record may leave out'],
  ],
  [
    'a hash of what has no text, of itself, and of nothing',
    {
      columns: [
        plainColumn('N', { kind: 'hash', of: ['X', 'N', 'Nowhere'], buckets: 9 }),
        plainColumn('X', { kind: 'field', path: 'x' }),
      ],
    },
    {},
    [
      'columns.N: is made of X, and FLOAT64 has no one text',
      'columns.N: is made of N, which is a hash itself',
      'columns.N: is made of Nowhere, which is not written from the record',
    ],
  ],
  [
    'a generated column',
    { columns: [plainColumn('Made', { kind: 'field', path: 'made' })] },
    {},
    ['columns.Made: column Made is generated'],
  ],
  [
    'a field of a key that is not decoded',
    { columns: [plainColumn('N', { kind: 'keyField', path: 'n' })] },
    {},
    ['columns.N: the key is not decoded, so that it has no fields'],
  ],
  [
    'fields of bytes',
    { columns: [field('N', 'n')], when: { by: { kind: 'field', path: 'op' }, in: ['a'], matches: undefined } },
    { format: { kind: 'bytes' } },
    ['columns.N: format bytes has no fields', 'when: format bytes has no fields'],
  ],
  [
    'a topic that is too long for its column',
    { columns: [plainColumn('Name', { kind: 'record', part: 'topic' })] },
    { source: { kind: 'kafka', topics: ['orders'], pattern: undefined, group: 'g' } },
    ['columns.Name: STRING(4) is too short for topic orders'],
  ],
  [
    'a constant that is too long for its column',
    { columns: [plainColumn('Name', { kind: 'constant', value: 'orders' })] },
    {},
    ['columns.Name: Column Name: 6 characters do not fit into STRING(4)'],
  ],
  [
    'sums of times, counters that are keys, versions without order',
    aggregateOf(
      { column: 'At', function: 'sum', field: 'a', by: undefined },
      { column: 'Id', function: 'max', field: 'a', by: undefined },
      { column: 'Name', function: 'last', field: 'a', by: { column: 'List', field: 'v' } },
    ),
    {},
    [
      'aggregates.At: TIMESTAMP cannot hold a sum',
      'aggregates.Id: column Id is a key of T',
      'aggregates.Name.version: ARRAY<INT64> has no order',
    ],
  ],
  [
    'a version that two functions share in different ways',
    aggregateOf(
      { column: 'Name', function: 'last', field: 'a', by: { column: 'N', field: 'v' } },
      { column: 'X', function: 'first', field: 'a', by: { column: 'N', field: 'v' } },
    ),
    {},
    [
      'aggregates.Name.version: column N keeps versions of different fields or functions',
      'aggregates.X.version: column N keeps versions of different fields or functions',
    ],
  ],
] satisfies [string, Partial<Target>, Partial<Pipeline>, string[]][]) {
  test(`checkPipeline() judges ${name}`, () => {
    assert.deepEqual(problemsOf(more, pipeline), expected);
  });
}

test('checkPipeline() asks no NOT NULL column of an update, and asks it of the other modes', () => {
  const strict = table([column('Id', 'STRING(9)', { notNull: true }), column('Must', 'INT64', { notNull: true })]);
  const check = (mode: Target['mode']) => {
    const pipeline = plainPipeline({ mode, ...key, pipeline: { format: { kind: 'bytes' } } });
    return checkPipeline(pipeline, new Map([['T', strict]]), 'd').map(({ path }) => path);
  };
  assert.deepEqual(check('update'), []);
  assert.deepEqual(check('delete'), []);
  for (const mode of ['insert', 'upsert', 'replace'] as const)
    assert.deepEqual(check(mode), ['pipelines.p.columns.Must']);
});

test('checkPipeline() refuses routes into one table that pass by each other’s guard or counters', () => {
  const guarded = plainTarget({ ...key, guard: 'N' });
  assert.deepEqual(problemsOf({ mode: 'delete' }, {}, [guarded]), []);
  assert.deepEqual(problemsOf({ guard: 'n' }, {}, [guarded]), []);
  assert.deepEqual(problemsOf({}, {}, [guarded]), [
    'guard: table T is guarded by nothing here and by N in another route',
  ]);
  const counted = aggregateOf({ column: 'N', function: 'count', field: undefined, by: undefined });
  const summed = aggregateOf({ column: 'N', function: 'sum', field: 'n', by: undefined });
  const count = plainTarget(counted);
  assert.deepEqual(problemsOf(counted, {}, [count]), []);
  assert.deepEqual(problemsOf({ mode: 'delete' }, {}, [count]), []);
  assert.deepEqual(problemsOf(summed, {}, [count]), [
    'aggregates.N: column N is a sum here and a count in another route',
  ]);
  assert.deepEqual(problemsOf({}, {}, [count]), ['table: table T holds an aggregate in one route and rows in another']);
});
