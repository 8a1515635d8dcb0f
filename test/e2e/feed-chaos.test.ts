import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildChaosBundles } from '../chaos/chaos-bundles.ts';
import { runFeedChaos } from '../chaos/feed-chaos.ts';

test('every row of a snapshot counts once in training while planner, readers and trainer are killed and the table changes', async () => {
  const bundles = await buildChaosBundles(['plan-epoch', 'read-shard']);
  try {
    const report = await runFeedChaos({
      dist: bundles.dist,
      seed: 3,
      rows: 3_000,
      readers: 3,
      kills: 10,
      maxMs: 120_000,
    });
    assert.deepEqual(report.problems, []);
    assert.deepEqual([report.lost, report.doubled], [0, 0]);
    assert.ok(report.readerKills > 0 && report.trainerKills > 0 && report.plannerKills > 0, JSON.stringify(report));
    assert.ok(report.recordsChecked > 2_000 && report.batchesChecked > 100, JSON.stringify(report));
  } finally {
    bundles.remove();
  }
});
