import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { type ReadTools, readShard } from '../../../functions/read-shard/read-shard.ts';
import { relieveEpoch } from '../../../functions/read-shard/relieve-epoch.ts';
import { cutShard } from '../../../shared/adapters/spanner/epochs/cut-shard.ts';
import type { ShardLeases } from '../../../shared/adapters/spanner/epochs/shard-leases.ts';
import { trainerClient } from '../../../shared/adapters/trainer/trainer-client.ts';
import { startPosition } from '../../../shared/model/epochs/cut-block.ts';
import { type Draw, seededDraw } from '../../../shared/model/epochs/random.ts';
import { batchRowNumbers } from './batch-row-numbers.ts';
import { declaration, feed, flight, openFeedStage, openRecordingTrainer, rowCount } from './feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

/** Leases that nobody else wants; each shard begins at its start. */
const ownLeases: ShardLeases = {
  take: async (epoch, shard) => ({
    status: 'taken',
    lease: {
      epoch,
      shard,
      of: shard,
      owner: 'quiet',
      fence: 1,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
      position: startPosition,
      start: startPosition,
      cut: undefined,
    },
  }),
  renew: async (lease) => lease,
  save: async (lease, position) => ({ ...lease, position }),
  release: async () => {},
  finish: async () => {},
  fail: async () => {},
};

/** A reader that dies: from some batch on nothing that it does reaches Spanner, and its lease stays. */
function mortal(tools: ReadTools, batchesToLive: number): ReadTools {
  let isDead = false;
  let left = batchesToLive;
  const whileAlive =
    <A extends unknown[], R>(act: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (isDead) throw new Error('killed');
      return await act(...given);
    };
  const { take, renew, save, release, finish, fail } = tools.leases;
  return {
    ...tools,
    leases: {
      take,
      renew: whileAlive(renew),
      save: whileAlive(save),
      release: whileAlive(release),
      finish: whileAlive(finish),
      fail: whileAlive(fail),
    },
    onBatch: () => {
      left -= 1;
      if (left <= 0) isDead = true;
    },
  };
}

/** Shuffled, doubled and late jobs; readers that die; a shard cut whenever somebody looks; rows that change meanwhile. */
async function attack(epoch: string, shards: readonly number[], draw: Draw): Promise<{ deaths: number; cuts: number }> {
  const jobs = [...shards, ...shards];
  const { store, channel, clock, signal } = stage.readTools('idle');
  const cut = (name: string, shard: number, at: typeof startPosition) => cutShard(stage.database, name, shard, at);
  const relief = { store, channel, clock, signal, cut, splitAfterMs: 0 };
  let deaths = 0;
  let turns = 0;
  const reader = async (owner: string): Promise<void> => {
    while ((await store.find(epoch))?.state !== 'delivered') {
      turns += 1;
      assert.ok(turns < 400, 'the epoch ends');
      const [shard] = jobs.length > 0 ? jobs.splice(draw(jobs.length), 1) : await store.openShards(epoch);
      if (shard === undefined) continue;
      const tools = stage.readTools(owner);
      const outcome = await readShard(epoch, shard, draw(2) === 0 ? mortal(tools, 1 + draw(25)) : tools).catch(() => {
        deaths += 1;
        return undefined;
      });
      if (draw(3) === 0) jobs.push(shard);
      jobs.push(...(await relieveEpoch(epoch, relief)));
      // Leases of the dead run out, and those of slow readers too.
      if (outcome === undefined || outcome.status === 'leased') stage.turnClock(4_000);
    }
  };
  const changes = async (): Promise<void> => {
    const flights = stage.database.table('Flights');
    for (let change = 0; change < 8; change += 1) {
      await flights.upsert({ ...flight(draw(rowCount)), Origin: 'ZZZ', DelayMinutes: 59 });
      await flights.insert({
        ...flight(draw(rowCount)),
        FlightId: `f${String(draw(rowCount)).padStart(6, '0')}-${change}`,
      });
      await flights.deleteRows([[`f${String(draw(rowCount)).padStart(6, '0')}`]]);
    }
  };
  await Promise.all([changes(), ...['a', 'b', 'c'].map(reader)]);
  const parts = await store.shards(epoch);
  return { deaths, cuts: parts.length - shards.length };
}

test('an epoch whose readers die, whose jobs come twice, late and in any order, and whose shards are cut is that of a quiet run', async () => {
  const planned = await Promise.all(
    [1, 2].map((seed) => stage.plan(`attacked-${seed}`, { ...feed, batchRows: 8, seed })),
  );
  const total = { deaths: 0, cuts: 0 };
  for (const [seed, { epoch, shards, manifest }] of planned.entries()) {
    stage.trainer.forget();
    const { deaths, cuts } = await attack(epoch, shards, seededDraw([seed]));
    total.deaths += deaths;
    total.cuts += cuts;
    const numbers = batchRowNumbers(stage.trainer.batches.values());
    assert.deepEqual(
      numbers,
      Array.from({ length: rowCount }, (_, row) => row),
    );
    const quiet = await openRecordingTrainer();
    const tools = stage.readTools('quiet');
    const trainerOf: ReadTools['trainerOf'] = (_, signal) =>
      trainerClient({ url: quiet.url, authorization: async () => 'Bearer t', signal });
    for (const shard of shards) await readShard(epoch, shard, { ...tools, leases: ownLeases, trainerOf });
    assert.equal(quiet.batches.size, stage.trainer.batches.size);
    for (const [place, body] of quiet.batches) assert.ok(stage.trainer.batches.get(place)?.equals(body), place);
    const ends = new Set(stage.trainer.ends);
    for (const end of quiet.ends) assert.ok(ends.has(end), end);
    assert.equal(manifest.plan.cuts.length + 1, shards.length);
    await quiet.close();
  }
  assert.ok(total.deaths >= 3 && total.cuts >= 1, JSON.stringify(total));
});

test('planEpoch() that dies between any two steps is finished by the next request of its tick, with one timestamp', async () => {
  const { planTools } = stage;
  const dies = async () => Promise.reject(new Error('killed'));
  const deaths: Readonly<Record<string, Partial<typeof planTools>>> = {
    find: { store: { ...planTools.store, find: dies } },
    pin: { pin: dies },
    save: { store: { ...planTools.store, save: dies } },
    saved: {
      store: {
        ...planTools.store,
        save: async (manifest) => {
          await planTools.store.save(manifest);
          return await dies();
        },
      },
    },
    openShards: { store: { ...planTools.store, openShards: dies } },
    published: {
      publish: async (epoch, shards) => {
        await planTools.publish?.(epoch, [...shards].slice(0, 2));
        return await dies();
      },
    },
    markReading: { store: { ...planTools.store, markReading: dies } },
  };
  for (const [step, failing] of Object.entries(deaths)) {
    stage.published.length = 0;
    const tick = { idempotencyKey: `dies-${step}`, nowMs: 0 };
    await assert.rejects(planEpoch(declaration, 'delays', tick, { ...planTools, ...failing }), /killed/, step);
    const left = await planTools.store.find(`delays-dies-${step}`);
    const { epoch, manifest } = await planEpoch(declaration, 'delays', tick, planTools);
    if (left) assert.equal(manifest.readTimestamp, left.manifest.readTimestamp, step);
    const jobs = new Set(stage.published);
    assert.deepEqual(
      [...jobs].toSorted(),
      [0, 1, 2, 3].map((shard) => `${epoch}/${shard}`),
      step,
    );
    assert.equal((await planTools.store.find(epoch))?.state, 'reading', step);
    assert.equal((await planTools.store.shards(epoch)).length, 4, step);
  }
});
