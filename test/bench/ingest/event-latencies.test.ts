import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventLatencies } from './event-latencies.ts';

const commit = (partition: number, fromOffset: number, toOffset: number, committedAtMs: number) => ({
  partition,
  fromOffset,
  toOffset,
  committedAtMs,
});

test('eventLatencies() takes each record from its sending to the commit that has its offset', () => {
  const sent = [
    { partition: 0, fromOffset: 0, count: 3, sentAtMs: 100 },
    { partition: 0, fromOffset: 3, count: 1, sentAtMs: 110 },
    { partition: 1, fromOffset: 0, count: 1, sentAtMs: 100 },
  ];
  const lineage = [commit(1, 0, 1, 109), commit(0, 2, 4, 130), commit(0, 0, 2, 115)];
  assert.deepEqual(eventLatencies(sent, lineage), [15, 15, 30, 20, 9]);
});

test('eventLatencies() refuses records that no commit took, and records of two commits', () => {
  const sent = [{ partition: 2, fromOffset: 5, count: 2, sentAtMs: 0 }];
  assert.throws(() => eventLatencies(sent, [commit(2, 0, 6, 9)]), /has 1 commits of records for the 2 .* 2\/5/);
  assert.throws(() => eventLatencies(sent, [commit(2, 5, 7, 9), commit(2, 6, 8, 9)]), /has 3 commits/);
  assert.throws(() => eventLatencies(sent, [commit(1, 0, 9, 9)]), /has 0 commits/);
});
