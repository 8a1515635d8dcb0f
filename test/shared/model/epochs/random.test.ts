import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { permutation, seededDraw } from '../../../../shared/model/epochs/random.ts';

const TWO_32 = 2 ** 32;

test('seededDraw() rejects exactly what would favour small numbers', () => {
  const below = fc.oneof(fc.integer({ min: 1, max: 70_000 }), fc.integer({ min: 2 ** 31, max: TWO_32 }));
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      fc.array(below, { maxLength: 40 }),
      (seed, bounds) => {
        const draw = seededDraw(seed);
        const raw = seededDraw(seed);
        for (const bound of bounds) {
          const limit = TWO_32 - (TWO_32 % bound);
          let wanted = raw(TWO_32);
          while (wanted >= limit) wanted = raw(TWO_32);
          assert.equal(draw(bound), wanted % bound);
        }
      },
    ),
  );
});

test('permutation() draws what seededDraw() draws, from the end', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat(), { maxLength: 3 }), fc.nat(3_000), (words, count) => {
      const draw = seededDraw(words);
      const wanted = Int32Array.from({ length: count }, (_, at) => at);
      for (let last = count - 1; last > 0; last -= 1) {
        const other = draw(last + 1);
        [wanted[last], wanted[other]] = [wanted[other] ?? 0, wanted[last] ?? 0];
      }
      assert.deepEqual(permutation(count, words), wanted);
    }),
  );
});

test('permutation() stays what it was: batches of epochs that were planned before keep their bytes', () => {
  assert.deepEqual([...permutation(12, [7, 3, 0])], [6, 7, 0, 9, 3, 5, 10, 11, 1, 2, 8, 4]);
  const wide = permutation(8_192, [7, 0, 5]);
  assert.deepEqual([...wide.subarray(0, 6)], [5710, 5859, 6873, 6769, 2119, 8113]);
  assert.equal(new Set(wide).size, 8_192);
});
