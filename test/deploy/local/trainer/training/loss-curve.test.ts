import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openLossCurve } from '../../../../../deploy/local/trainer/training/loss-curve.ts';

test('openLossCurve() keeps at most 500 points whose weighted mean is the mean of all losses up to the last', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), (count) => {
      const curve = openLossCurve();
      for (let step = 1; step <= count; step += 1) curve.add(step, step);
      const { points } = curve;
      assert.ok(points.length <= 500);
      let before = 0;
      let sum = 0;
      for (const { step, loss } of points) {
        assert.ok(step > before);
        sum += loss * (step - before);
        before = step;
      }
      assert.ok(Math.abs(sum - (before * (before + 1)) / 2) < 1e-3 * sum, `${sum} over ${before} steps`);
      assert.ok(count - before < 2 ** Math.ceil(Math.log2(count / 250 + 1)) + 1);
    }),
    { numRuns: 50 },
  );
});

test('openLossCurve() goes on from its state as if it had never been closed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 1, max: 1_500 }), (before, after) => {
      const whole = openLossCurve();
      let parted = openLossCurve();
      for (let step = 1; step <= before + after; step += 1) {
        if (step === before) parted = openLossCurve(JSON.parse(JSON.stringify(parted.state())));
        for (const curve of [whole, parted]) curve.add(step, Math.sin(step));
      }
      assert.deepEqual(parted.state(), whole.state());
    }),
    { numRuns: 30 },
  );
});

test('openLossCurve() tells the first loss, and the mean of the last 20', () => {
  const curve = openLossCurve();
  assert.deepEqual([curve.firstLoss, curve.lastLoss], [undefined, undefined]);
  for (let step = 1; step <= 100; step += 1) curve.add(step, step);
  assert.deepEqual([curve.firstLoss, curve.lastLoss], [1, 90.5]);
});
