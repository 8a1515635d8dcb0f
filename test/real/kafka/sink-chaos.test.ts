import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildChaosBundles, type ChaosBundles } from '../../chaos/chaos-bundles.ts';
import { runSinkChaos } from '../../chaos/sink-chaos.ts';
import { openRealKafka } from './real-kafka.ts';

/** A run ends when its faults are done, however slow the machine is. */
const patient = { timeout: 900_000 };

let bundles: ChaosBundles;
before(async () => {
  bundles = await buildChaosBundles(['kafka-sink', 'pubsub-sink']);
});
after(() => bundles?.remove());

test(
  'sinks lose nothing and double nothing on Apache Kafka while they, the broker and Spanner fail',
  patient,
  async () => {
    const report = await runSinkChaos({
      dist: bundles.dist,
      seed: 4,
      kills: 10,
      maxMs: 400_000,
      recordsPerSecond: 100,
      kafka: await openRealKafka(),
      faults: ['kill', 'transactions', 'zombie', 'move', 'kill', 'grow', 'restart-broker', 'kill', 'restart-spanner'],
    });
    assert.deepEqual(report.damages, []);
    assert.deepEqual(report.crashLines, []);
    const { kills, zombies, moves, brokerRestarts, transactions, partitionsAdded, unknownCommits } = report;
    assert.ok(
      [kills, zombies, moves, brokerRestarts, transactions, partitionsAdded, unknownCommits].every(
        (count) => count > 0,
      ),
      JSON.stringify(report),
    );
    assert.ok(report.deadLetters > 50, `only ${report.deadLetters} dead letters`);
  },
);
