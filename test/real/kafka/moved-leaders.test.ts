import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildChaosBundles, type ChaosBundles } from '../../chaos/chaos-bundles.ts';
import { runSinkChaos } from '../../chaos/sink-chaos.ts';
import { openTwoBrokers } from './two-brokers.ts';

/** A run ends when its faults are done, however slow the machine is. */
const patient = { timeout: 900_000 };
let bundles: ChaosBundles;
before(async () => {
  bundles = await buildChaosBundles(['kafka-sink', 'pubsub-sink']);
});
after(() => bundles?.remove());

test(
  'sinks lose nothing and double nothing while leaders move between two brokers of Apache Kafka',
  patient,
  async () => {
    const kafka = await openTwoBrokers();
    const report = await runSinkChaos({
      dist: bundles.dist,
      seed: 6,
      kills: 4,
      maxMs: 400_000,
      recordsPerSecond: 100,
      workers: 3,
      kafka,
      faults: ['restart-broker', 'kill', 'restart-broker', 'transactions', 'kill'],
    });
    assert.deepEqual(report.damages, []);
    assert.deepEqual(report.crashLines, []);
    assert.ok(kafka.moves >= 2, `leaders moved ${kafka.moves} times`);
    assert.ok(report.kills >= 4 && report.brokerRestarts >= 2, JSON.stringify(report));
  },
);
