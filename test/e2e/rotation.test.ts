import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildChaosBundles, type ChaosBundles } from '../chaos/chaos-bundles.ts';
import { runRotationChaos } from '../chaos/rotation-chaos.ts';

let bundles: ChaosBundles;
before(async () => {
  bundles = await buildChaosBundles(['kafka-sink', 'rotate-secrets']);
});
after(() => bundles?.remove());

test('running sinks follow rotations of their Kafka password under load, while rotators are killed', async () => {
  const report = await runRotationChaos({
    dist: bundles.dist,
    seed: 11,
    rotations: 3,
    maxMs: 150_000,
    recordsPerSecond: 100,
    isAttacked: true,
  });
  assert.deepEqual(report.problems, []);
  const { lost, doubled, failedBatches, rotations, kills, probes, recordsChecked } = report;
  assert.deepEqual({ lost, doubled, failedBatches }, { lost: 0, doubled: 0, failedBatches: 0 });
  assert.ok(rotations >= 2 && kills >= 2, JSON.stringify(report));
  assert.ok(probes > 5 && recordsChecked > 500, JSON.stringify(report));
});
