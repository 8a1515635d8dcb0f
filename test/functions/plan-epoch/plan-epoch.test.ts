import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { plainPipeline } from '../../shared/model/config/plain-pipeline.ts';
import { declaration, feed, openFeedStage, rowCount } from '../read-shard/feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
  await stage.database.table('PenstockCheckpoints').insert({
    Pipeline: 'flights',
    Topic: 'flights',
    PartitionId: 0,
    TopicId: 'topic-1',
    NextOffset: '9007199254740993',
    Fence: 1,
    Owner: 'o',
    HighWatermark: '9007199254740993',
    UpdatedAt: 'spanner.commit_timestamp()',
  });
});

after(async () => {
  await stage.close();
});

test('planEpoch() plans one tick once, whoever asks, and publishes one job for each shard', async () => {
  stage.published.length = 0;
  const plans = await Promise.all([stage.plan('tick'), stage.plan('tick')]);
  const third = await stage.plan('tick');
  const timestamps = new Set([...plans, third].map(({ manifest }) => manifest.readTimestamp));
  assert.equal(timestamps.size, 1);
  assert.equal(third.isNew, false);
  const jobs = new Set(stage.published);
  assert.deepEqual(
    [...jobs].toSorted(),
    [0, 1, 2, 3].map((shard) => `delays-tick/${shard}`),
  );
  assert.equal(third.manifest.rowCount, rowCount);
  assert.equal((await stage.store.find('delays-tick'))?.state, 'reading');
});

test('planEpoch() publishes again when the planner before died between its commit and its publishing', async () => {
  stage.published.length = 0;
  const dying = { ...stage.planTools, publish: async () => Promise.reject(new Error('died')) };
  await assert.rejects(planEpoch(declaration, 'delays', { idempotencyKey: 'died', nowMs: 0 }, dying), /died/);
  assert.equal(stage.published.length, 0);
  const again = await stage.plan('died');
  assert.equal(again.isNew, false);
  assert.equal(stage.published.length, 4);
  await stage.plan('died');
  assert.equal(stage.published.length, 4);
});

test('planEpoch() names the offsets that the epoch contains, exactly, beyond 2^53', async () => {
  const source = { kind: 'kafka', topics: ['flights'], pattern: undefined, group: 'g' } as const;
  const flights = plainPipeline({ table: 'Flights', pipeline: { name: 'flights', source } });
  const withPipeline = { ...declaration, pipelines: { flights } };
  const { manifest } = await planEpoch(
    withPipeline,
    'delays',
    { idempotencyKey: 'offsets', nowMs: 0 },
    stage.planTools,
  );
  assert.deepEqual(manifest.checkpoints, [
    { pipeline: 'flights', topic: 'flights', partition: 0, topicId: 'topic-1', nextOffset: '9007199254740993' },
  ]);
});

test('planEpoch() refuses a feed that is unknown, or that the table cannot give, naming every column', async () => {
  const tick = { idempotencyKey: 'bad', nowMs: 0 };
  await assert.rejects(planEpoch(declaration, 'other', tick, stage.planTools), { code: 'NOT_FOUND' });
  const bad: Feed = {
    ...feed,
    transforms: [
      { tensor: 'a', column: 'Missing', kind: 'cast', as: 'int32', fillNull: undefined },
      { tensor: 'b', column: 'Origin', kind: 'normalise', method: 'min-max', fillNull: undefined },
    ],
  };
  await assert.rejects(
    planEpoch({ ...declaration, feeds: { delays: bad } }, 'delays', tick, stage.planTools),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map(({ path }) => path),
        ['feeds.delays.transforms.a', 'feeds.delays.transforms.b'],
      );
      return true;
    },
  );
  const short = { ...stage.planTools, roomMs: 7_200_000 };
  await assert.rejects(planEpoch(declaration, 'delays', tick, short), { code: 'RETENTION_TOO_SHORT' });
  assert.equal(await stage.store.find('delays-bad'), undefined);
});
