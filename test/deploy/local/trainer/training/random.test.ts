import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openRandom, permute } from '../../../../../deploy/local/trainer/training/random.ts';

test('permute() holds every number once, in the order that the key names', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.string(), fc.nat(9), (count, seed, pass) => {
      const order = permute(count, openRandom('batches', seed, pass));
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        [...Array(count).keys()],
      );
      assert.deepEqual(permute(count, openRandom('batches', seed, pass)), order);
    }),
  );
});

test('openRandom() gives other numbers to another key, from 0 to below 1, evenly', () => {
  const [a, b] = [openRandom('7', 1), openRandom('71')];
  assert.notDeepEqual([a(), a()], [b(), b()]);
  const buckets = new Uint32Array(10);
  for (let drawn = 0; drawn < 20_000; drawn += 1) {
    const number = a();
    assert.ok(number >= 0 && number < 1);
    buckets[Math.floor(number * 10)] = (buckets[Math.floor(number * 10)] ?? 0) + 1;
  }
  // 2,000 are expected in each, with a standard deviation of 42.
  assert.ok(
    buckets.every((count) => Math.abs(count - 2_000) < 210),
    String(buckets),
  );
});
