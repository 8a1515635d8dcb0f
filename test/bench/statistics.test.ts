import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { quantile, spread } from './statistics.ts';

const numbers = fc.array(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 40 });

test('spread() has half of the rounds on each side of the median, and all of them between min and max', () => {
  fc.assert(
    fc.property(numbers, (values) => {
      const { min, median, max } = spread(values);
      const tolerance = 1.001;
      assert.ok(min <= median && median <= max);
      assert.ok(values.every((value) => value * tolerance >= min && value <= max * tolerance));
      assert.ok(values.filter((value) => value <= median * tolerance).length * 2 >= values.length);
      assert.ok(values.filter((value) => value * tolerance >= median).length * 2 >= values.length);
    }),
  );
});

test('spread() does not depend on the order of the rounds, and keeps four digits', () => {
  assert.deepEqual(spread([3, 1, 2]), { min: 1, median: 2, max: 3 });
  assert.deepEqual(spread([4, 1, 3, 2]), { min: 1, median: 2.5, max: 4 });
  assert.deepEqual(spread([123_456]), { min: 123_500, median: 123_500, max: 123_500 });
});

test('spread() refuses no rounds, and what is no number', () => {
  assert.throws(() => spread([]), RangeError);
  assert.throws(() => spread([1, Number.NaN]), /NaN/);
  assert.throws(() => spread([1, Number.POSITIVE_INFINITY]), /Infinity/);
});

test('quantile() gives a value that was measured, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(quantile(hundred, 0.99), 99);
  assert.equal(quantile(hundred, 0.5), 50);
  assert.equal(quantile([7], 0.99), 7);
  assert.throws(() => quantile([], 0.5), RangeError);
});
