import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Quantiles } from '../../../../shared/model/tensors/quantiles.ts';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

test('Quantiles.bounds() are the values at the ranks, rising, while there are few different values', () => {
  fc.assert(
    fc.property(fc.array(finite, { maxLength: 50 }), fc.integer({ min: 2, max: 12 }), (values, parts) => {
      const quantiles = new Quantiles();
      for (const value of values) quantiles.add(value);
      const sorted = values.map((value) => value + 0).toSorted((left, right) => left - right);
      const ranks = Array.from({ length: parts - 1 }, (_, at) => Math.floor((sorted.length * (at + 1)) / parts));
      const wanted = new Set(ranks.flatMap((rank) => sorted[rank] ?? []).filter((value) => value !== sorted[0]));
      assert.deepEqual(quantiles.bounds(parts), [...wanted]);
    }),
  );
});

test('Quantiles keeps at most so many values, and forgets the same bits in whatever parts and order they came', () => {
  const parted = fc.array(fc.tuple(finite, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 6_000 });
  fc.assert(
    fc.property(parted, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (values, order) => {
      const whole = new Quantiles(4_200);
      for (const [value] of values) whole.add(value);
      const merged = new Quantiles(4_200);
      for (const part of order) {
        const partial = new Quantiles(4_200);
        for (const [value, of] of values) if (of === part) partial.add(value);
        merged.merge(Quantiles.of(JSON.parse(JSON.stringify(partial)), 4_200));
      }
      const sorted = (quantiles: Quantiles) => {
        const { bits, counts } = quantiles.toJSON();
        return { bits, counts: counts.toSorted(([left], [right]) => left - right) };
      };
      assert.deepEqual(sorted(merged), sorted(whole));
      assert.ok(whole.toJSON().counts.length <= 4_200);
    }),
    { numRuns: 20 },
  );
});

test('Quantiles cuts a million different numbers into parts that differ by little', () => {
  const quantiles = new Quantiles();
  const counts = new Array<number>(10).fill(0);
  const valueAt = (at: number): number => Math.exp(((at * 7_919) % 1_000_003) / 100_000) / 3;
  for (let at = 0; at < 1_000_003; at += 1) quantiles.add(valueAt(at));
  const bounds = quantiles.bounds(10);
  for (let at = 0; at < 1_000_003; at += 1) {
    const part = bounds.filter((bound) => bound <= valueAt(at)).length;
    counts[part] = (counts[part] ?? 0) + 1;
  }
  assert.equal(bounds.length, 9);
  for (const count of counts) assert.ok(Math.abs(count - 100_000) < 500, String(counts));
});
