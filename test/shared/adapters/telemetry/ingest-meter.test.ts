import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openHistogram } from '../../../../shared/adapters/telemetry/histogram.ts';
import { openIngestMeter } from '../../../../shared/adapters/telemetry/ingest-meter.ts';

const orders = (partition: number) => ({ pipeline: 'orders', topic: 't', partition });

test('openIngestMeter() tells the lag of what is held, and no longer of what somebody else holds', () => {
  const meter = openIngestMeter();
  const lagOf = () => [...meter.figures()].map(({ partition, lag }) => [partition, lag?.recordCount]);
  meter.holds('orders', [orders(0), orders(1)]);
  meter.lagging(orders(0), { recordCount: 5, oldestMs: 1 });
  meter.lagging(orders(1), { recordCount: 7, oldestMs: 1 });
  meter.lagging(orders(2), { recordCount: 9, oldestMs: 1 });
  assert.deepEqual(lagOf(), [
    [0, 5],
    [1, 7],
  ]);
  meter.holds('orders', [orders(1)]);
  // A batch of the lost partition is still in hand.
  meter.lagging(orders(0), { recordCount: 4, oldestMs: 1 });
  assert.deepEqual(lagOf(), [
    [0, undefined],
    [1, 7],
  ]);
  meter.holds('payments', []);
  assert.deepEqual(lagOf(), [
    [0, undefined],
    [1, 7],
  ]);
});

test('openHistogram() counts each value in the bucket whose bound is the first that is not below it', () => {
  const bounds = [1, 2, 5];
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 10, noNaN: true })), (values) => {
      const histogram = openHistogram(bounds);
      for (const value of values) histogram.add(value);
      const within = (above: number, upTo: number) => values.filter((one) => one > above && one <= upTo).length;
      assert.deepEqual(histogram.counts, [within(-1, 1), within(1, 2), within(2, 5), within(5, 10)]);
      assert.equal(histogram.count, values.length);
      if (values.length > 0)
        assert.deepEqual([histogram.min, histogram.max], [Math.min(...values), Math.max(...values)]);
    }),
  );
});
