import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { auc } from '../../../../../deploy/local/trainer/training/auc.ts';

/** The definition itself: every pair of a row of 1 and a row of 0 is looked at. */
function aucOfPairs(scores: Float32Array, labels: Float32Array): number | undefined {
  let pairs = 0;
  let won = 0;
  for (const [a, above] of scores.entries()) {
    for (const [b, below] of scores.entries()) {
      if (labels[a] !== 1 || labels[b] !== 0) continue;
      pairs += 1;
      won += above > below ? 1 : above === below ? 0.5 : 0;
    }
  }
  return pairs === 0 ? undefined : won / pairs;
}

test('auc() is the share of pairs in the right order, ties counting half', () => {
  // Few values, so that ties are the rule.
  const score = fc.oneof(fc.constantFrom(-1, -0, 0, 0.5, 1, Infinity, -Infinity), fc.float({ noNaN: true }));
  fc.assert(
    fc.property(fc.array(fc.tuple(score, fc.boolean()), { maxLength: 40 }), (rows) => {
      const scores = Float32Array.from(rows, ([value]) => value);
      const labels = Float32Array.from(rows, ([, label]) => Number(label));
      const [given, wanted] = [auc(scores, labels), aucOfPairs(scores, labels)];
      if (wanted === undefined) assert.equal(given, undefined);
      else assert.ok(Math.abs((given ?? Number.NaN) - wanted) < 1e-12, `${given} is not ${wanted}`);
    }),
  );
});

test('auc() is 1 for perfect scores, 0 for reversed ones, and one half when all are equal', () => {
  const labels = Float32Array.of(0, 1, 0, 1);
  assert.equal(auc(Float32Array.of(1, 3, 2, 4), labels), 1);
  assert.equal(auc(Float32Array.of(4, 2, 3, 1), labels), 0);
  assert.equal(auc(Float32Array.of(7, 7, 7, 7), labels), 0.5);
});
