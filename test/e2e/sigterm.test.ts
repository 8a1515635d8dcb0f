import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { epochProgress } from '../../deploy/cli/epoch-progress.ts';
import { identities } from '../../deploy/cli/stack/identities.ts';
import { localProject } from '../../deploy/local/project.ts';
import { isCaughtUp } from '../chaos/caught-up.ts';
import { buildChaosBundles, type ChaosBundles } from '../chaos/chaos-bundles.ts';
import { checkSinks } from '../chaos/check-sinks.ts';
import { openFeedRig } from '../chaos/feed-rig.ts';
import { countFlights, fillFlights } from '../chaos/flights-table.ts';
import { openLoad } from '../chaos/load.ts';
import { seededRandom } from '../chaos/random.ts';
import { readCheckpoints, readHistory } from '../chaos/read-history.ts';
import { openSinkRig, pushAudience, pushSubscription } from '../chaos/sink-rig.ts';
import { waitUntil } from '../chaos/wait-until.ts';

/** Cloud Run kills an instance 10 s after SIGTERM; ending well takes less. */
const MAX_END_MS = 7_000;
const SEED = 21;

let bundles: ChaosBundles;
before(async () => {
  bundles = await buildChaosBundles(['kafka-sink', 'pubsub-sink', 'plan-epoch', 'read-shard']);
});
after(() => bundles.remove());

/** Sends SIGTERM and expects the process to end well. */
async function endWell(running: { kill(signal: NodeJS.Signals): void; readonly ended: Promise<unknown> }) {
  const startedAt = performance.now();
  running.kill('SIGTERM');
  assert.equal(await running.ended, 0);
  const ms = performance.now() - startedAt;
  assert.ok(ms < MAX_END_MS, `it took ${ms.toFixed(0)} ms to end`);
}

test('kafka-sink commits the batch in hand or leaves it whole when SIGTERM comes under load', async () => {
  const rig = await openSinkRig({ dist: bundles.dist, partitions: 2, random: seededRandom(SEED) });
  const load = await openLoad(rig, seededRandom(SEED));
  try {
    for (let round = 0; round < 3; round++) {
      const sink = rig.startSink({ maxRows: 20 });
      const before = await readCheckpoints(rig.database);
      rig.cloud.spanner.setAbortRate(1 / 3, SEED);
      await load.send(2_000);
      const hasBegun = async (): Promise<boolean> =>
        [...(await readCheckpoints(rig.database))].some(
          ([at, { nextOffset }]) => nextOffset > (before.get(at)?.nextOffset ?? 0),
        );
      await waitUntil('the sink has begun to commit', hasBegun);
      await endWell(sink);
      assert.equal(await isCaughtUp(rig, load), false, 'it ended after its work, not under load');
    }
    rig.cloud.spanner.setAbortRate(0, SEED);
    rig.startSink();
    await waitUntil('another sink has caught up', () => isCaughtUp(rig, load));
    assert.deepEqual((await checkSinks(rig, load)).damages, []);
  } finally {
    await load.close();
    await rig.close();
  }
});

/** Sends one push on a connection of its own; the status, or the error's code. */
function push(url: string, token: string, messageId: string): Promise<number | string> {
  const data = Buffer.from(JSON.stringify({ key: 'k', sequence: 1 })).toString('base64');
  const subscription = `projects/${localProject}/subscriptions/${pushSubscription}`;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((settle) => {
    const sending = request(url, { method: 'POST', headers, agent: false }, (answer) => {
      answer.resume().on('end', () => settle(answer.statusCode ?? 0));
    });
    sending.on('error', (error) => settle('code' in error ? String(error.code) : error.message));
    sending.end(JSON.stringify({ subscription, message: { messageId, data, attributes: {} } }));
  });
}

test('pubsub-sink answers what is in flight at SIGTERM, and refuses what comes after', async () => {
  const rig = await openSinkRig({ dist: bundles.dist, partitions: 1, random: seededRandom(SEED) });
  try {
    const sink = await rig.startPushSink();
    const token = await rig.cloud.identity.mintIdToken(identities.push, pushAudience);
    assert.equal(await push(sink.url, token, 'first'), 204);
    rig.cloud.spanner.setAbortRate(1, SEED);
    const inFlight = Array.from({ length: 20 }, (_, index) => push(sink.url, token, `held-${index}`));
    // The framework answers this itself, after it has read what came before.
    for (let probes = 0; probes < 3; probes++) await (await fetch(`${sink.url}/favicon.ico`)).arrayBuffer();
    const ended = endWell(sink);
    const late = push(sink.url, token, 'late');
    rig.cloud.spanner.setAbortRate(0, SEED);
    assert.deepEqual(await Promise.all(inFlight), Array(20).fill(204));
    const answer = await late;
    assert.ok(answer === 204 || answer === 503 || answer === 'ECONNREFUSED', `the late one got ${answer}`);
    await ended;
    assert.equal(await push(sink.url, token, 'after'), 'ECONNREFUSED');
    const { tables } = await readHistory(rig.database);
    assert.equal(tables.get('Pushed')?.get('k')?.EventCount, answer === 204 ? '22' : '21');
  } finally {
    await rig.close();
  }
});

test('read-shard saves its position at SIGTERM and answers, so that another reader goes on', async () => {
  const rig = await openFeedRig({ dist: bundles.dist, readers: 1, pauseMs: () => 0 });
  try {
    await fillFlights(rig.database, 3_000);
    const { epoch, readTimestamp } = await rig.plan('sigterm');
    const stateOf = async (): Promise<string | undefined> => (await epochProgress(rig.database, epoch))?.state;
    const isMidShard = async (): Promise<boolean> =>
      (await epochProgress(rig.database, epoch))?.shards.some(
        ({ state, batches }) => state === 'reading' && batches > 0,
      ) ?? false;
    await waitUntil('a shard is half read', isMidShard);
    const [reader] = rig.readers;
    assert.ok(reader);
    const signalledAtMs = performance.now();
    await endWell(reader);
    assert.notEqual(await stateOf(), 'delivered', 'it ended after its work, not under load');
    await rig.killReader(reader);
    await waitUntil('another reader has delivered the epoch', async () => (await stateOf()) === 'delivered', 60_000);
    const dropped = rig.door.answers.filter(
      ({ status, sentAtMs }) => sentAtMs < signalledAtMs && status !== 204 && status !== 503,
    );
    assert.deepEqual(dropped, []);
    const trained = await rig.trainerProgress(epoch);
    assert.equal(trained?.rows, await countFlights(rig.database, readTimestamp));
  } finally {
    await rig.close();
  }
});
