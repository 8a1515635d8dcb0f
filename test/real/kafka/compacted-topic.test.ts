import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCaughtUp } from '../../chaos/caught-up.ts';
import { buildChaosBundles } from '../../chaos/chaos-bundles.ts';
import { checkSinks } from '../../chaos/check-sinks.ts';
import { openLoad } from '../../chaos/load.ts';
import { seededRandom } from '../../chaos/random.ts';
import { readTopic } from '../../chaos/read-topic.ts';
import { openSinkRig, type SinkRig } from '../../chaos/sink-rig.ts';
import { becomesTrue, waitUntil } from '../../chaos/wait-until.ts';
import { openRealKafka } from './real-kafka.ts';

const SEED = 5;
const ROUNDS = 8;
const ROUND_RECORDS = 400;
const SETTLED_MS = 2_000;
const TIMEOUT_MS = 60_000;

test('what Apache Kafka’s compaction has left of a topic arrives exactly once, over every gap', async () => {
  const bundles = await buildChaosBundles(['kafka-sink']);
  const random = seededRandom(SEED);
  const rig = await openSinkRig({
    dist: bundles.dist,
    partitions: 2,
    random,
    kafka: await openRealKafka(),
    topicSettings: { 'cleanup.policy': 'compact', 'segment.ms': '100', 'min.cleanable.dirty.ratio': '0.01' },
  });
  // Children whose parent is compacted away would be poison or not, as the batches fall.
  const load = await openLoad(rig, random, { poisonShare: 0, childShare: 0 });
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await load.send(ROUND_RECORDS);
      // A segment that is old enough ends when the next record comes.
      await becomesTrue(() => false, 150);
    }
    await waitUntil('the topic is compacted', () => isCompacted(rig, load.last()), TIMEOUT_MS);
    const sink = rig.startSink();
    await waitUntil('the sink has caught up', () => isCaughtUp(rig, load), TIMEOUT_MS);
    await sink.stop();
    assert.equal(await sink.ended, 0);
    const { damages, recordsChecked } = await checkSinks(rig, load);
    assert.deepEqual(damages, []);
    assert.ok(recordsChecked < ROUNDS * ROUND_RECORDS, 'nothing was compacted away');
  } finally {
    await load.close();
    await rig.close();
    bundles.remove();
  }
});

/** Records are gone, and no more go. */
async function isCompacted(rig: SinkRig, last: readonly number[]): Promise<boolean> {
  const count = async (): Promise<number> => {
    let records = 0;
    await readTopic(rig.brokers, { topic: 'chaos', last }, () => {
      records += 1;
    });
    return records;
  };
  const before = await count();
  await becomesTrue(() => false, SETTLED_MS);
  return before < (ROUNDS * ROUND_RECORDS) / 2 && before === (await count());
}
