import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import { batchRowNumbers } from '../read-shard/batch-row-numbers.ts';
import { declaration, feed, flight, openFeedStage, rowCount } from '../read-shard/feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

test('a feed with `where` delivers the rows that meet it at the timestamp, once, and its batches are made again', async () => {
  const where = "Origin = 'SFO' AND DistanceMiles > 100";
  const { epoch, manifest, shards } = await stage.plan('where', { ...feed, where, batchRows: 16 });
  const wanted = Array.from({ length: rowCount }, (_, row) => row).filter((row) => row > 100 && row % 3 === 1);
  assert.equal(manifest.rowCount, wanted.length);
  assert.equal(manifest.plan.where, where);
  await stage.database.table('Flights').update({ ...flight(400), Origin: 'JFK' });
  for (const shard of shards) await readShard(epoch, shard, stage.readTools('one'));
  assert.deepEqual(batchRowNumbers(stage.trainer.batches.values()), wanted);
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  const tools = { channel, versions, clock, signal };
  const { body } = await rebuildBatch(manifest, { shard: 2, sequence: 11 }, tools);
  assert.ok(stage.trainer.batches.get('2/11')?.equals(body));
  const all = await stage.plan('all');
  assert.notEqual(all.manifest.planDigest, manifest.planDigest);
});

test('planEpoch() names the setting when Spanner refuses the condition', async () => {
  for (const where of ['Missing = 1', 'Origin +', "Origin = 'a' GROUP BY Origin"]) {
    const feeds = { delays: { ...feed, where } };
    const planning = planEpoch({ ...declaration, feeds }, 'delays', { nowMs: 5 }, stage.planTools);
    await assert.rejects(planning, (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.problems[0]?.path, 'feeds.delays.where');
      return true;
    });
  }
});
