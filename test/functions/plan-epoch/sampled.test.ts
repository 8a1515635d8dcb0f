import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import type { SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { batchRowNumbers } from '../read-shard/batch-row-numbers.ts';
import { declaration, feed, openFeedStage, rowCount } from '../read-shard/feed-stage.ts';

const { ReadRequest, ExecuteSqlRequest } = protos.google.spanner.v1;
const lookRows = 100;
const unfitted: Feed = {
  ...feed,
  transforms: [
    { tensor: 'row', column: 'DistanceMiles', kind: 'cast', as: 'int32', fillNull: undefined },
    {
      tensor: 'origin',
      column: 'Origin',
      kind: 'hash',
      cross: undefined,
      buckets: 9,
      oneHot: false,
      fillNull: undefined,
    },
  ],
};

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

/** What was asked of Spanner. */
interface Asked {
  readonly limits: number[];
  readonly unlimited: unknown[];
  readonly queries: string[];
}

/** A channel that notes what is asked through it. */
function noted(channel: SpannerChannel): { channel: SpannerChannel; asked: Asked } {
  const asked: Asked = { limits: [], unlimited: [], queries: [] };
  const stream: SpannerChannel['stream'] = (method, request, options) => {
    if (method === 'ExecuteStreamingSql') asked.queries.push(ExecuteSqlRequest.decode(request).sql);
    else {
      const { limit, keySet } = ReadRequest.decode(request);
      if (Number(limit) > 0) asked.limits.push(Number(limit));
      else asked.unlimited.push(keySet?.ranges?.[0]);
    }
    return channel.stream(method, request, options);
  };
  return { channel: { ...channel, stream }, asked };
}

async function plan(key: string, planned: Feed) {
  const { channel, asked } = noted(stage.planTools.channel);
  const feeds = { delays: planned };
  const tick = { idempotencyKey: key, nowMs: 0 };
  const tools = { ...stage.planTools, channel, lookRows };
  return { ...(await planEpoch({ ...declaration, feeds }, 'delays', tick, tools)), asked };
}

test('planEpoch() plans without reading the rows where nothing is to be learned, and every row is delivered once', async () => {
  const { epoch, manifest, shards, asked } = await plan('looked', unfitted);
  assert.equal(manifest.rowCountIsEstimate, true);
  assert.ok(manifest.rowCount > rowCount / 2 && manifest.rowCount < rowCount * 2, `about ${manifest.rowCount}`);
  assert.deepEqual(new Set(asked.limits), new Set([lookRows, 32]));
  // The one read without a limit is of no key: whether Spanner takes it.
  assert.deepEqual(
    asked.unlimited.map((range) => JSON.stringify(range)),
    ['{"startClosed":{"values":[{"stringValue":"f000000"}]},"endOpen":{"values":[{"stringValue":"f000000"}]}}'],
  );
  assert.ok(
    asked.queries.every((sql) => / LIMIT 1$/.test(sql)),
    asked.queries.join('\n'),
  );
  assert.equal(shards.length, 4);
  for (const shard of shards) await readShard(epoch, shard, stage.readTools('reader'));
  assert.deepEqual(
    batchRowNumbers(stage.trainer.batches.values()),
    Array.from({ length: rowCount }, (_, row) => row),
  );
  const [[row]] = await stage.database
    .table('PenstockEpochs')
    .read({ keys: [[epoch]], columns: ['RowCount'], json: true });
  assert.deepEqual(row, { RowCount: rowCount });
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  const tools = { channel, versions, clock, signal };
  const { body } = await rebuildBatch(manifest, { shard: 2, sequence: 7 }, tools);
  assert.ok(stage.trainer.batches.get('2/7')?.equals(body));
});

test('planEpoch() plans with the fit of an earlier epoch, and with a condition, without reading the rows', async () => {
  const first = await plan('first', feed);
  assert.equal(first.manifest.rowCountIsEstimate, undefined);
  assert.equal(first.manifest.rowCount, rowCount);
  const pinned = await plan('pinned', { ...feed, fitFrom: first.epoch });
  assert.equal(pinned.manifest.rowCountIsEstimate, true);
  assert.deepEqual(pinned.manifest.plan.transforms, first.manifest.plan.transforms);
  assert.ok(pinned.asked.unlimited.length === 1);
  stage.trainer.forget();
  const { epoch, shards, asked } = await plan('where', { ...unfitted, where: "Origin = 'SFO'" });
  // Whether Spanner takes the condition, of no row.
  assert.equal(asked.queries.filter((sql) => sql.includes('SFO')).length, 1);
  for (const shard of shards) await readShard(epoch, shard, stage.readTools('reader'));
  assert.deepEqual(
    batchRowNumbers(stage.trainer.batches.values()),
    Array.from({ length: rowCount }, (_, row) => row).filter((row) => row % 3 === 1),
  );
});

test('planEpoch() finds what Spanner refuses without reading the rows', async () => {
  await assert.rejects(plan('refused', { ...unfitted, where: 'Missing = 1' }), /feeds.delays.where: is refused/);
  const join = [{ name: 'origin', table: 'Airports', on: [{ column: 'Origin', equals: 'Iata' }] }];
  const column = 'origin.Latitude';
  const transforms = [{ tensor: 'latitude', column, kind: 'cast', as: 'float32', fillNull: 0 } as const];
  const { asked } = await plan('joined', { ...unfitted, join, transforms });
  assert.equal(asked.unlimited.length, 2, 'the joined table is read');
});
