import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ColumnSource } from '../../../../../shared/model/config/declaration.ts';
import { WireWriter } from '../../../../../shared/model/events/row-bytes.ts';
import { straightMapper } from '../../../../../shared/model/events/straight/straight-rows.ts';
import { planColumns } from '../../../../../shared/model/events/tables/column-plan.ts';
import { plainColumn, plainPipeline, plainTarget } from '../../config/plain-pipeline.ts';
import { column, field, record, table } from '../pipeline-fixture.ts';
import { bothWays } from './straight-fixture.ts';

const keyed = table([column('Id', 'STRING(20)', { notNull: true }), column('A', 'INT64')]);
const idOfKey = plainColumn('Id', { kind: 'key' });
const a = field('A', 'a');

test('straightMapper() takes keys of any text, and leaves what is no key', () => {
  const { agree } = bothWays(keyed, [idOfKey, a]);
  const key = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map(Buffer.from),
    fc.string({ unit: 'binary' }).map(Buffer.from),
  );
  fc.assert(fc.property(key, (bytes) => void agree({ ...record('', '{"a":1}'), key: Buffer.from(bytes) })));
  for (const text of ['', 'k', 'Ülm', '😀', '"', 'x'.repeat(20)]) assert.ok(agree(record(text, '{"a":1}')), text);
  for (const text of [null, 'x'.repeat(21)]) assert.ok(!agree(record(text, '{"a":1}')));
  assert.ok(!agree({ ...record('', '{"a":1}'), key: Buffer.from([0xff]) }));
  assert.ok(!agree(record('k', null)), 'a tombstone');
});

test('straightMapper() leaves a key over 8 KiB', () => {
  const wide = table([column('Id', 'STRING(MAX)', { notNull: true }), column('A', 'INT64')]);
  const { agree } = bothWays(wide, [idOfKey, a]);
  assert.ok(agree(record('k'.repeat(8_192), '{"a":1}')));
  assert.ok(!agree(record('k'.repeat(8_193), '{"a":1}')));
});

test('straightMapper() makes the same text of a key of many columns', () => {
  const types = ['INT64', 'BOOL', 'FLOAT64', 'STRING(MAX)', 'TIMESTAMP', 'NUMERIC', 'BYTES(MAX)', 'UUID', 'DATE'];
  const { agree } = bothWays(
    table(
      types.map((type, at) => column(`K${at}`, type)),
      types.map((_, at) => `K${at}`).reverse(),
    ),
    types.map((_, at) => field(`K${at}`, `k${at}`)),
  );
  const json = (text: string) =>
    `{"k0":-12,"k1":true,"k2":-0,"k3":${JSON.stringify(text)},"k4":"2024-02-29T01:02:03.120Z","k5":1.50,"k6":"AQI=","k8":"2024-02-29"}`;
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) =>
      assert.equal(agree(record('k', json(text))), text.isWellFormed()),
    ),
  );
  const single = bothWays(table([column('K', 'FLOAT64')], ['K']), [field('K', 'k')]);
  for (const number of ['-0', '1.5', '1e300', '"NaN"', 'null'])
    assert.ok(single.agree(record('k', `{"k":${number}}`)), number);
  const none = bothWays(table([column('K', 'INT64')], []), [field('K', 'k')]);
  assert.ok(none.agree(record('k', '{"k":1}')));
});

test('straightMapper() takes columns of every other source', () => {
  const sources: readonly (readonly [string, ColumnSource['from']])[] = [
    ['STRING(MAX)', { kind: 'constant', value: 'Ülm' }],
    ['FLOAT64', { kind: 'constant', value: 1.5 }],
    ['JSON', { kind: 'constant', value: true }],
    ['DATE', { kind: 'constant', value: null }],
    ['STRING(MAX)', { kind: 'header', name: 'h' }],
    ['INT64', { kind: 'header', name: 'n' }],
    ['BYTES(MAX)', { kind: 'header', name: 'h' }],
    ['STRING(MAX)', { kind: 'record', part: 'topic' }],
    ['INT64', { kind: 'record', part: 'partition' }],
    ['INT64', { kind: 'record', part: 'offset' }],
    ['TIMESTAMP', { kind: 'record', part: 'timestamp' }],
    ['STRING(MAX)', { kind: 'record', part: 'value' }],
    ['INT64', { kind: 'key' }],
    ['BYTES(MAX)', { kind: 'key' }],
  ];
  const columns = sources.map(([type], at) => column(`C${at}`, type));
  const stamped = column('Seen', 'TIMESTAMP', { notNull: true, allowCommitTimestamp: true });
  const { agree } = bothWays(
    table([...columns, stamped], ['C12']),
    sources.map(([, from], at) => plainColumn(`C${at}`, from)),
  );
  const headers = [
    { name: 'h', value: Buffer.from('first') },
    { name: 'h', value: Buffer.from('last') },
  ];
  const whole = { ...record('-12', '{"a":1}', 7n), headers };
  assert.ok(agree(whole));
  assert.ok(agree({ ...whole, timestampMs: undefined }));
  assert.ok(!agree({ ...whole, timestampMs: Number.MAX_SAFE_INTEGER }));
  assert.ok(!agree({ ...whole, headers: [{ name: 'n', value: Buffer.from('x') }] }));
  assert.ok(!agree({ ...whole, key: Buffer.from('x') }));
});

test('straightMapper() takes several columns of one field, and of a field within another', () => {
  const types = ['STRING(MAX)', 'JSON', 'STRING(4000)', 'STRING(MAX)', 'STRING(MAX)', 'INT64', 'JSON'];
  const paths = ['a.text', 'a', 'a.text', 'a.text', 'a.text', 'a.n', 'a.text'];
  const columns = types.map((type, at) => column(`C${at}`, type));
  for (const length of [0, 1, 100, 127, 128, 1_900, 4_000]) {
    const { agree } = bothWays(
      table(columns, ['C0']),
      paths.map((path, at) => field(`C${at}`, path)),
    );
    for (let time = 0; time < 3; time++) {
      assert.ok(agree(record('k', `{"a":{"text":"${'x'.repeat(length)}","n":3}}`)));
    }
    const texts = bothWays(
      table([column('A', 'STRING(MAX)'), column('B', 'STRING(MAX)'), column('C', 'STRING(MAX)')], ['A']),
      ['A', 'B', 'C'].map((name) => field(name, 't')),
    );
    assert.ok(texts.agree(record('k', `{"t":"${'x'.repeat(length)}"}`)));
  }
});

test('straightMapper() has room for what follows a cell that is longer than its text', () => {
  const columns = [column('A', 'ARRAY<INT64>'), column('B', 'STRING(MAX)'), column('Id', 'STRING(MAX)')];
  for (let count = 0; count < 400; count += 3) {
    const { agree } = bothWays(table(columns), [field('A', 'a'), field('B', 'b'), idOfKey]);
    const text = `{"a":[${Array.from({ length: count }, () => 1).join()}],"b":"${'b'.repeat(count)}"}`;
    assert.ok(agree(record('k'.repeat(60), text)), `${count}`);
  }
});

/** Values of one field into a column, and whether they are written straight. */
const edges: readonly (readonly [type: string, values: readonly string[], isStraight: boolean])[] = [
  ['INT64', ['0', '-0', '1.0', '1e3', '9223372036854775807', '-9223372036854775808', '"9223372036854775807"'], true],
  ['INT64', ['"007"', '"-0"', '"1.0"'], true],
  ['INT64', ['9223372036854775808', '-9223372036854775809', '1.5', '""', '"-"', '"1x"', '"+1"', 'true', '[]'], false],
  [
    'FLOAT64',
    ['-0', '-0.0', '0.1', '123456789012345', '1234567890123456', '0.30000000000000004', '5e-324', '"NaN"'],
    true,
  ],
  ['FLOAT64', ['1e309', '"1"', 'true', '{}'], false],
  ['FLOAT32', ['3.4028235677973366e38', '16777217', '1e-50'], true],
  ['FLOAT32', ['3.41e38', '1e39'], false],
  [
    'NUMERIC',
    ['-0', '0.00', '-0.50', '1.000000000000', '0.000000001', '1e28', '"00.5"', '12345678901234567890123456789'],
    true,
  ],
  ['NUMERIC', ['0.0000000001', '1e29', '123456789012345678901234567890', '"1."', '".5"', '"-"', '""'], false],
  ['DATE', ['"2024-02-29"', '"0001-01-01"', '"9999-12-31"'], true],
  [
    'DATE',
    ['"2023-02-29"', '"0000-01-01"', '"2024-13-01"', '"2024-1-01"', '"2024-02-29 "', '"2024/02/29"', '1'],
    false,
  ],
  ['TIMESTAMP', ['"2024-02-29T23:59:59Z"', '"2024-02-29T23:59:59.100Z"', '"2024-02-29T23:59:59.000000000Z"'], true],
  ['TIMESTAMP', ['"2024-02-29t10:00:00z"', '"2024-02-29 10:00:00Z"', '"2024-02-29T10:00:00.1000000000Z"'], true],
  [
    'TIMESTAMP',
    ['"2024-03-01T00:30:00+01:00"', '"2024-02-29T10:00:00.5-23:59"', '"1969-12-31T23:59:59.9+00:00"'],
    true,
  ],
  ['TIMESTAMP', ['"2024-02-29T10:00:00+24:00"', '"2024-02-29T10:00:00+01:60"', '"2024-02-29T10:00:00+0100"'], false],
  ['TIMESTAMP', [`"2024-02-29T10:00:00.${'0'.repeat(41)}Z"`, '"2024-02-29T10:00:00.1234567891Z"'], false],
  ['TIMESTAMP', ['"0001-01-01T00:00:00+00:01"', '"9999-12-31T23:59:59-00:01"', '"2024-02-29T10:00:60Z"'], false],
  ['TIMESTAMP', ['"2024-02-29T10:00:00"', '"2024-02-29T10:00:00.Z"', '"2024-02-29T10:00Z"', '1', '""'], false],
  ['UUID', ['"F47AC10B-58CC-4372-A567-0E02B2C3D479"'], true],
  ['UUID', ['"F47AC10B-58CC-4372-A567-0E02B2C3D47G"', '"F47AC10B058CC-4372-A567-0E02B2C3D479"', '""'], false],
  ['STRING(3)', ['"äöü"', '"😀😀😀"', '"\\u0061\\ud83d\\ude00"', '""'], true],
  ['STRING(3)', ['"abcd"', '"äöüß"', '"\\ud800"', '1'], false],
  ['BYTES(2)', ['"AQI="', '"AQI"', '""'], true],
  ['BYTES(2)', ['"AQID"', '"%"'], false],
  ['BOOL', ['true', 'false'], true],
  ['BOOL', ['1', '"true"'], false],
];

test('straightMapper() agrees with the reference at the edges of every type', () => {
  for (const [type, values, isStraight] of edges) {
    const { agree } = bothWays(table([column('Id', 'STRING(MAX)'), column('A', type)]), [idOfKey, a]);
    for (const value of values) assert.equal(agree(record('k', `{"a":${value}}`)), isStraight, `${type} ${value}`);
    assert.ok(agree(record('k', '{"a":null}')) && agree(record('k', '{}')));
    const strict = bothWays(table([column('Id', 'STRING(MAX)'), column('A', type, { notNull: true })]), [idOfKey, a]);
    assert.ok(!strict.agree(record('k', '{"a":null}')) && !strict.agree(record('k', '{}')));
  }
});

test('straightMapper() is not for targets whose rows depend on more than their record', () => {
  const planned = planColumns(plainTarget({ columns: [idOfKey, a] }), keyed);
  const plan = { pipeline: plainPipeline({}), target: plainTarget(), planned, keyAt: [0] };
  assert.ok(straightMapper(plan));
  for (const more of [{ mode: 'delete' }, { mode: 'aggregate' }, { guard: 'A' }] as const) {
    assert.equal(straightMapper({ ...plan, target: plainTarget(more) }), undefined);
  }
  const json = { kind: 'json' } as const;
  for (const pipeline of [
    { format: { kind: 'bytes' } as const, keyFormat: undefined },
    { format: json, keyFormat: json },
  ]) {
    assert.equal(straightMapper({ ...plan, pipeline }), undefined);
  }
  for (const more of [{ bitReverse: true }, { windowMs: 60_000 }]) {
    const source = plainColumn('A', { kind: 'field', path: 'a' }, more);
    const changed = planned.map((one) => (one.column.name === 'A' ? { ...one, source } : one));
    assert.equal(straightMapper({ ...plan, planned: changed }), undefined);
  }
});

test('straightMapper() takes records without a column that they may leave out, and gives equal rows one shape', () => {
  const wide = table([
    column('Id', 'STRING(20)', { notNull: true }),
    column('A', 'INT64'),
    column('B', 'STRING(MAX)'),
    column('C', 'INT64', { notNull: true, hasDefault: true }),
    column('D', 'INT64', { notNull: true }),
  ]);
  const { agree, straight } = bothWays(wide, [idOfKey]);
  for (const text of ['{"D":1}', '{"D":1,"A":2}', '{"B":null,"D":1}', '{"C":3,"D":1}', '{"D":1,"C":3,"B":"b","A":2}']) {
    assert.ok(agree(record('k', text)), text);
  }
  for (const text of ['{"A":1}', '{"D":null}', '{"C":null,"D":1}']) assert.ok(!agree(record('k', text)), text);
  const shapes = ['{"D":1,"A":2}', '{"D":1}', '{"A":5,"D":7}'].map((text) => {
    const change = straight(record('k', text), new WireWriter());
    return change?.kind === 'encoded' ? change.shape : undefined;
  });
  assert.deepEqual(shapes[0]?.columns, ['Id', 'A', 'D']);
  assert.equal(shapes[0], shapes[2]);
  assert.notEqual(shapes[0], shapes[1]);
});

test('straightMapper() keeps shapes right where records have more of them than are remembered', () => {
  const names = Array.from({ length: 10 }, (_, at) => `C${at}`);
  const wide = table([column('Id', 'STRING(20)', { notNull: true }), ...names.map((name) => column(name, 'INT64'))]);
  const { agree } = bothWays(wide, [idOfKey]);
  for (let bits = 0; bits < 2 ** names.length; bits++) {
    const carried = names.filter((_, at) => (bits & (1 << at)) !== 0);
    assert.ok(agree(record('k', JSON.stringify(Object.fromEntries(carried.map((name) => [name, 1]))))));
  }
});
