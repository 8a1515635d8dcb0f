import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareKeys,
  type Key,
  type KeyCode,
  type KeyColumn,
  type KeyPart,
} from '../../../../shared/model/epochs/key.ts';
import { containsKey, cutKeyRange } from '../../../../shared/model/epochs/key-range.ts';
import { keySampler } from '../../../../shared/model/epochs/key-sampler.ts';

const parts: Readonly<Record<KeyCode, fc.Arbitrary<KeyPart>>> = {
  BOOL: fc.boolean(),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  FLOAT32: fc.constantFrom(0, 1.5, -2, 'NaN', 'Infinity', '-Infinity'),
  FLOAT64: fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom('NaN', 'Infinity', '-Infinity'),
  ),
  NUMERIC: fc.constantFrom('0', '-1', '-1.5', '1.000000001', '10', '9.9'),
  STRING: fc.string({ unit: 'binary', maxLength: 4 }),
  BYTES: fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  DATE: fc.constantFrom('0001-01-01', '2026-11-21', '2026-11-22', '9999-12-31'),
  TIMESTAMP: fc.constantFrom(
    '2026-11-21T07:00:00Z',
    '2026-11-21T07:00:00.1Z',
    '2026-11-21T07:00:00.100000001Z',
    '2026-11-21T07:00:01Z',
    '0001-01-01T00:00:00Z',
  ),
  UUID: fc.uuid(),
};
const codes = Object.keys(parts) as KeyCode[];

const keyed = fc
  .array(fc.record({ code: fc.constantFrom(...codes), descending: fc.boolean() }), { minLength: 1, maxLength: 3 })
  .chain((types) => {
    const columns: KeyColumn[] = types.map(({ code, descending }, index) => ({ name: `K${index}`, code, descending }));
    const key = fc.tuple(...columns.map(({ code }) => fc.option(parts[code], { freq: 8 })));
    return fc.record({ columns: fc.constant(columns), keys: fc.array(key, { maxLength: 60 }) });
  });

function sortUnique(columns: readonly KeyColumn[], keys: readonly Key[]): Key[] {
  const sorted = keys.toSorted((left, right) => compareKeys(columns, left, right));
  return sorted.filter((key, index) => index === 0 || compareKeys(columns, sorted[index - 1] ?? key, key) !== 0);
}

test('cutKeyRange() puts every key of any type into exactly one range, in key order', () => {
  fc.assert(
    fc.property(
      keyed,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 4 }),
      ({ columns, keys }, count, every) => {
        const sorted = sortUnique(columns, keys);
        const ranges = cutKeyRange(
          sorted.filter((_, index) => index % every === 0).map((key) => ({ key, rows: every })),
          count,
        );
        assert.ok(ranges.length <= count);
        assert.equal(ranges[0]?.from, undefined);
        assert.equal(ranges.at(-1)?.to, undefined);
        const homes = sorted.map((key) =>
          ranges.flatMap((range, index) => (containsKey(columns, range, key) ? [index] : [])),
        );
        for (const home of homes) assert.equal(home.length, 1);
        assert.deepEqual(
          homes.flat(),
          homes.flat().toSorted((left, right) => left - right),
        );
      },
    ),
  );
});

test('cutKeyRange() gives ranges of about equally many rows, none of them empty', () => {
  const columns: KeyColumn[] = [{ name: 'Id', code: 'INT64', descending: false }];
  const keys = Array.from({ length: 1000 }, (_, index): Key => [String(index * index)]);
  const ranges = cutKeyRange(
    keys.map((key) => ({ key, rows: 1 })),
    8,
  );
  const sizes = ranges.map((range) => keys.filter((key) => containsKey(columns, range, key)).length);
  assert.deepEqual(
    sizes,
    Array.from({ length: 8 }, () => 125),
  );
  assert.equal(cutKeyRange([], 8).length, 1);
  assert.equal(
    cutKeyRange(
      ['1', '2', '3'].map((part) => ({ key: [part], rows: 1 })),
      8,
    ).length,
    3,
  );
  assert.throws(() => cutKeyRange([], 0), RangeError);
});

test('compareKeys() orders NULL first, NaN before numbers, texts by code point, and turns all of it round for DESC', () => {
  const order = (code: KeyCode, descending: boolean, values: KeyPart[]) =>
    values
      .map((value): Key => [value])
      .toSorted((a, b) => compareKeys([{ name: 'K', code, descending }], a, b))
      .flat();
  assert.deepEqual(order('FLOAT64', false, [1, 'NaN', null, '-Infinity']), [null, 'NaN', '-Infinity', 1]);
  assert.deepEqual(order('STRING', false, ['\u{1F600}', '\uFFFD', 'a']), ['a', '\uFFFD', '\u{1F600}']);
  assert.deepEqual(order('INT64', true, ['9', '10', null, '-9223372036854775808']), [
    '10',
    '9',
    '-9223372036854775808',
    null,
  ]);
  assert.deepEqual(order('NUMERIC', false, ['10', '9.9', '-1', '-1.5']), ['-1.5', '-1', '9.9', '10']);
});

test('keySampler() keeps evenly spaced keys of a stream of any length in bounded memory', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5000 }), fc.constantFrom(2, 8, 64), (rowCount, maxSamples) => {
      const sampler = keySampler(maxSamples);
      let row = 0;
      while (row < rowCount) {
        const ahead = Math.min(sampler.rowsUntilNext, rowCount - row);
        sampler.skip(ahead);
        row += ahead;
        if (row < rowCount) sampler.take([String(row++)]);
      }
      assert.equal(sampler.rowCount, rowCount);
      const rows = sampler.samples().map(({ key: [part] }) => Number(part));
      assert.ok(rows.length <= maxSamples && (rowCount < maxSamples || rows.length >= maxSamples / 2));
      assert.equal(
        sampler.samples().reduce((sum, sample) => sum + sample.rows, 0),
        rowCount,
      );
      const stride = (rows[1] ?? 1) - (rows[0] ?? 0);
      assert.deepEqual(
        rows,
        rows.map((_, index) => index * stride),
      );
    }),
  );
});
