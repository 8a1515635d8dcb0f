import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batchSize } from '../../../functions/kafka-sink/batch-size.ts';

test('batchSize() grows to the limit while full commits are fast, and not by commits that were not full', () => {
  const size = batchSize(1_000);
  assert.equal(size.limit(), 250);
  size.committed(249, 5);
  assert.equal(size.limit(), 250);
  for (let at = 0; at < 20; at++) size.committed(size.limit(), 5);
  assert.equal(size.limit(), 1_000);
});

test('batchSize() halves at an abort, does not grow by the commit that was aborted, and comes back', () => {
  const size = batchSize(1_000);
  size.aborted();
  assert.equal(size.limit(), 125);
  size.committed(125, 5);
  assert.equal(size.limit(), 125);
  size.committed(125, 5);
  assert.equal(size.limit(), 188);
});

test('batchSize() stays within its bounds, whatever happens', () => {
  const step = fc.oneof(fc.constant('abort' as const), fc.tuple(fc.nat(30_000), fc.nat(10_000)));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.array(step), (most, steps) => {
      const size = batchSize(most);
      for (const one of steps) {
        if (one === 'abort') size.aborted();
        else size.committed(...one);
        assert.ok(size.limit() >= Math.min(50, most) && size.limit() <= most);
      }
    }),
  );
});

test('batchSize() shrinks while commits are slow', () => {
  const size = batchSize(1_000);
  for (let at = 0; at < 50; at++) size.committed(size.limit(), 5_000);
  assert.equal(size.limit(), 50);
});
