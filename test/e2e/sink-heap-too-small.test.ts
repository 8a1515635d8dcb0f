import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCaughtUp } from '../chaos/caught-up.ts';
import { buildChaosBundles } from '../chaos/chaos-bundles.ts';
import { checkSinks } from '../chaos/check-sinks.ts';
import { openLoad } from '../chaos/load.ts';
import { seededRandom } from '../chaos/random.ts';
import { openSinkRig } from '../chaos/sink-rig.ts';
import { waitUntil } from '../chaos/wait-until.ts';

const BACKLOG = 120_000;
const SEED = 17;

// Fetched at once for several pipelines, such a backlog is more than the sink's first heap: it ended, at every start again.
test('kafka-sink gets through a backlog of tiny records that is larger than its heap', async () => {
  const bundles = await buildChaosBundles(['kafka-sink']);
  const rig = await openSinkRig({ dist: bundles.dist, partitions: 4, random: seededRandom(SEED) });
  const load = await openLoad(rig, seededRandom(SEED), { poisonShare: 0 });
  try {
    for (let sent = 0; sent < BACKLOG; sent += 4_000) await load.send(4_000);
    const sink = rig.startSink({ maxRows: 5_000 });
    const ended = sink.ended.then((code) => {
      throw new Error(`The sink ended with ${code}: ${sink.lastLines().at(-1)}`);
    });
    await Promise.race([waitUntil('the sink has caught up', () => isCaughtUp(rig, load), 90_000), ended]);
    assert.deepEqual((await checkSinks(rig, load)).damages, []);
  } finally {
    await load.close();
    await rig.close();
    bundles.remove();
  }
});
