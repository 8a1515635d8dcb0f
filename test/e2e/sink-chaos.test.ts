import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildChaosBundles, type ChaosBundles, type Sabotage } from '../chaos/chaos-bundles.ts';
import type { Damage } from '../chaos/history-checker.ts';
import { runSinkChaos } from '../chaos/sink-chaos.ts';
import { wakeZombie, type ZombieOutcome } from '../chaos/zombie.ts';

/** A run ends when its faults are done, however slow the machine is. */
const patient = { timeout: 900_000 };

let bundles: ChaosBundles;
before(async () => {
  bundles = await buildChaosBundles(['kafka-sink', 'pubsub-sink']);
});
after(() => bundles.remove());

test('sinks lose nothing and double nothing while everything around them fails', patient, async () => {
  const report = await runSinkChaos({
    dist: bundles.dist,
    seed: 7,
    kills: 12,
    maxMs: 400_000,
    recordsPerSecond: 100,
    faults: [
      'kill',
      'zombie',
      'kill',
      'move',
      'kill-push',
      'restart-broker',
      'kill',
      'restart-spanner',
      'transactions',
      'grow',
    ],
  });
  assert.deepEqual(report.damages, []);
  assert.deepEqual(report.crashLines, []);
  const {
    kills,
    killsInCommit,
    zombies,
    moves,
    brokerRestarts,
    spannerRestarts,
    transactions,
    partitionsAdded,
    unknownCommits,
  } = report;
  assert.ok(kills >= 12, `only ${kills} kills`);
  const faults = [
    killsInCommit,
    zombies,
    moves,
    brokerRestarts,
    spannerRestarts,
    transactions,
    partitionsAdded,
    unknownCommits,
  ];
  assert.ok(
    faults.every((count) => count > 0),
    JSON.stringify(report),
  );
  assert.ok(report.deadLetters > 50, `only ${report.deadLetters} dead letters`);
  assert.ok(report.recordsChecked > 1_000, `only ${report.recordsChecked} records`);
});

async function zombieOf(sabotage: Sabotage, damage: (one: Damage) => boolean): Promise<ZombieOutcome> {
  const sabotaged = await buildChaosBundles(['kafka-sink'], sabotage);
  try {
    return await wakeZombie(sabotaged.dist, ({ damages }) => damages.some(damage));
  } finally {
    sabotaged.remove();
  }
}

test('a zombie that wakes with a batch in hand writes nothing', patient, async () => {
  const { awakenings, damages } = await wakeZombie(bundles.dist, ({ awakenings }) => awakenings > 0);
  assert.ok(awakenings > 0, 'the zombie never had a batch in hand');
  assert.deepEqual(damages, []);
});

test('the checker finds the commit of an overtaken owner in a bundle without the fence check', patient, async () => {
  const isStale = ({ kind }: Damage): boolean => kind === 'stale-owner';
  const { awakenings, damages } = await zombieOf('no-fence', isStale);
  assert.ok(awakenings > 0, 'the zombie never had a batch in hand');
  assert.ok(damages.some(isStale), JSON.stringify(damages));
});

test('the checker names doubled records in a bundle without the fence and the offset check', patient, async () => {
  const isDoubled = ({ kind, where }: Damage): boolean => kind === 'doubled' && where.startsWith('Counters');
  const { awakenings, damages } = await zombieOf('no-fence-no-checkpoint', isDoubled);
  assert.ok(awakenings > 0, 'the zombie never had a batch in hand');
  assert.ok(damages.some(isDoubled), JSON.stringify(damages));
});
