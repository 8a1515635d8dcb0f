import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoisonError } from '../../../../../shared/model/events/records/poison.ts';
import type { Cell } from '../../../../../shared/model/events/values/cell.ts';
import { columnReader } from '../../../../../shared/model/events/values/convert.ts';
import { parseExactJsonText } from '../../../../../shared/model/events/values/exact-json.ts';
import { column } from '../pipeline-fixture.ts';

const plain = { format: undefined, zone: undefined };

function read(typeText: string, json: string): Cell {
  return columnReader(column('C', typeText), plain).fromJson(parseExactJsonText(json));
}

test('columnReader() keeps every digit of every INT64', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(int64, (value) => {
      assert.equal(read('INT64', `${value}`), String(value));
      assert.equal(read('INT64', `"${value}"`), String(value));
    }),
  );
});

test('columnReader() refuses what INT64 does not hold, instead of rounding it', () => {
  const outside = fc.oneof(fc.bigInt({ min: 2n ** 63n }), fc.bigInt({ max: -(2n ** 63n) - 1n }));
  fc.assert(fc.property(outside, (value) => assert.throws(() => read('INT64', `${value}`), PoisonError)));
  for (const json of ['1.5', '1.00000000000000000001', '1e-1', '1e400', 'true', '"1x"', '""', '[1]', '{}']) {
    assert.throws(() => read('INT64', json), PoisonError, json);
  }
  assert.equal(read('INT64', '1e3'), '1000');
  assert.equal(read('INT64', '-0'), '0');
});

test('columnReader() keeps every digit of every NUMERIC, and cuts none', () => {
  const digits = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n });
  fc.assert(
    fc.property(digits, (units) => {
      const sign = units < 0n ? '-' : '';
      const text = String(units < 0n ? -units : units).padStart(10, '0');
      const canonical = `${text.slice(0, -9)}.${text.slice(-9)}`.replace(/\.?0+$/, '');
      assert.equal(
        read('NUMERIC', `${sign}${text.slice(0, -9)}.${text.slice(-9)}`),
        units === 0n ? '0' : sign + canonical,
      );
    }),
  );
  for (const json of ['0.0000000001', '1e29', '123456789012345678901234567890']) {
    assert.throws(() => read('NUMERIC', json), PoisonError, json);
  }
  assert.equal(read('NUMERIC', '0.1'), '0.1');
});

test('columnReader() reads every type from JSON', () => {
  assert.equal(read('BOOL', 'true'), true);
  assert.equal(read('FLOAT64', '0.1'), 0.1);
  assert.equal(read('FLOAT64', '"NaN"'), 'NaN');
  assert.equal(read('FLOAT32', '"-Infinity"'), '-Infinity');
  assert.equal(read('STRING(3)', '"ÄÖ😀"'), 'ÄÖ😀');
  assert.equal(read('BYTES(2)', '"AQI="'), 'AQI=');
  assert.equal(read('JSON', '{"a":12345678901234567890,"b":[null]}'), '{"a":12345678901234567890,"b":[null]}');
  assert.equal(read('DATE', '"2024-02-29"'), '2024-02-29');
  assert.equal(read('TIMESTAMP', '"2024-02-29T23:59:59.123456789+01:00"'), '2024-02-29T22:59:59.123456789Z');
  assert.equal(read('UUID', '"F47AC10B-58CC-4372-A567-0E02B2C3D479"'), 'f47ac10b-58cc-4372-a567-0e02b2c3d479');
  assert.deepEqual(read('ARRAY<INT64>', '[1,null,9007199254740993]'), ['1', null, '9007199254740993']);
  assert.equal(read('ARRAY<STRING(MAX)>', 'null'), null);
});

test('columnReader() refuses what a column does not hold', () => {
  for (const [type, json] of [
    ['STRING(3)', '"ABCD"'],
    ['STRING(MAX)', '1'],
    ['STRING(MAX)', '"\\ud800"'],
    ['BYTES(1)', '"AQI="'],
    ['BYTES(MAX)', '"%"'],
    ['FLOAT32', '1e39'],
    ['FLOAT64', '1e309'],
    ['DATE', '"2023-02-29"'],
    ['TIMESTAMP', '"2023-02-28T24:00:00Z"'],
    ['TIMESTAMP', '"2023-02-28T10:00:00.1234567891Z"'],
    ['TIMESTAMP', '"2023-02-28 10:00"'],
    ['TIMESTAMP', '1700000000'],
    ['ARRAY<INT64>', '[1,"x"]'],
    ['ARRAY<INT64>', '1'],
    ['UUID', '"1"'],
    ['BOOL', '1'],
  ] as const) {
    assert.throws(() => read(type, json), PoisonError, `${type} ${json}`);
  }
});

test('columnReader() with a zone takes a text that names none for local time there, to the last digit', () => {
  const inBerlin = columnReader(column('C', 'TIMESTAMP'), { format: undefined, zone: 'Europe/Berlin' });
  assert.equal(inBerlin.fromText('2024-07-01T12:00:00.123456789'), '2024-07-01T10:00:00.123456789Z');
  assert.equal(inBerlin.fromText('2024-01-01 12:00:00'), '2024-01-01T11:00:00Z');
  assert.equal(inBerlin.fromText('2024-01-01T12:00:00Z'), '2024-01-01T12:00:00Z');
  for (const text of ['2024-01-01', '2024-13-01T00:00:00', '2024-01-01T12:00:00.1234567891', '0001-01-01T00:30:00']) {
    assert.throws(() => inBerlin.fromText(text), PoisonError, text);
  }
  const nowhere = columnReader(column('C', 'TIMESTAMP'), plain);
  assert.throws(() => nowhere.fromText('2024-01-01T12:00:00'), PoisonError);
});

test('parseExactJsonText() gives a reason that every database can hold, wherever the text is cut', () => {
  for (let length = 0; length < 40; length++) {
    assert.throws(
      () => parseExactJsonText(`[${' '.repeat(length)}"${'😀'.repeat(20)}`),
      (error: Error) => error.message.isWellFormed(),
    );
  }
  assert.throws(
    () => parseExactJsonText('\u{10000}'),
    (error: Error) => error.message.isWellFormed(),
  );
});
