import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { walkBlocks } from '../../../functions/read-shard/walk-blocks.ts';
import type { SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { GrpcError } from '../../../shared/adapters/spanner/grpc-error.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { startPosition } from '../../../shared/model/epochs/cut-block.ts';
import { declaration, feed, flight, openFeedStage, rowCount } from '../read-shard/feed-stage.ts';

const { ReadRequest, ExecuteSqlRequest } = protos.google.spanner.v1;
const boosted: Feed = { ...feed, read: { priority: 'medium', tag: 'boosted', dataBoost: true } };

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

type Faults = (call: number) => void;

/** A channel that notes whether rows came by Data Boost, and whose calls for them may fail. */
function noted(channel: SpannerChannel, fail: Faults = () => {}) {
  const asked = { boosted: 0, plain: 0, partitions: 0 };
  const tags = new Set<unknown>();
  const noting: SpannerChannel = {
    ...channel,
    unary: async (method, request, options) => {
      if (method.startsWith('Partition')) asked.partitions += 1;
      return await channel.unary(method, request, options);
    },
    stream: (method, request, options) => {
      const sent = method === 'StreamingRead' ? ReadRequest.decode(request) : ExecuteSqlRequest.decode(request);
      if (sent.dataBoostEnabled) {
        asked.boosted += 1;
        tags.add(sent.requestOptions?.requestTag);
        assert.ok(sent.partitionToken.length > 0);
        assert.ok(sent.transaction?.id?.length);
        fail(asked.boosted);
      } else asked.plain += 1;
      return channel.stream(method, request, options);
    },
  };
  return { channel: noting, asked, tags };
}

async function plan(key: string, planned: Feed, lookRows = 100) {
  const feeds = { delays: planned };
  const tick = { idempotencyKey: key, nowMs: 0 };
  return await planEpoch({ ...declaration, feeds }, 'delays', tick, { ...stage.planTools, lookRows });
}

/** Batches of an epoch by their place. */
async function deliver(planned: Awaited<ReturnType<typeof plan>>, fail?: Faults) {
  stage.trainer.forget();
  const { channel, asked, tags } = noted(stage.planTools.channel, fail);
  for (const shard of planned.shards) await readShard(planned.epoch, shard, { ...stage.readTools('reader'), channel });
  assert.equal(stage.trainer.ends.at(-1), 'end {}');
  const { versions, clock, signal } = stage.readTools('rebuilder');
  for (const place of ['1/3', '3/9']) {
    const [shard = 0, sequence = 0] = place.split('/').map(Number);
    const tools = { channel, versions, clock, signal };
    const { body } = await rebuildBatch(planned.manifest, { shard, sequence }, tools);
    assert.ok(stage.trainer.batches.get(place)?.equals(body), place);
  }
  return { asked, tags, batches: tensorsOf(stage.trainer.batches) };
}

/** Bodies without what names their epoch and plan. */
function tensorsOf(batches: ReadonlyMap<string, Buffer>): Map<string, string> {
  const entries = [...batches].map(([place, body]) => {
    const length = Number(body.readBigUInt64LE(0));
    return [place, body.subarray(8 + length).toString('base64')] as const;
  });
  return new Map(entries.toSorted());
}

test('a feed on Data Boost reads partitions alone, and its batches are those of a plain read, whatever the order of partitions', async () => {
  const plain = await plan('plain', feed);
  const boost = await plan('boost', boosted);
  // As if the table were large: pieces of 100 rows or so, in each several partitions or one.
  const pieces = Array.from({ length: rowCount / 300 - 1 }, (_, at) => [String(flight((at + 1) * 300).FlightId)]);
  assert.deepEqual(boost.manifest.pieces, []);
  assert.equal(boost.manifest.read?.dataBoost, true);
  assert.equal(plain.manifest.planDigest, boost.manifest.planDigest, 'how rows are read changes no byte');
  const before = stage.server.boostedCalls();
  const one = await deliver(boost);
  assert.ok(stage.server.boostedCalls() > before);
  assert.equal(one.asked.plain, 0);
  assert.deepEqual(one.tags, new Set(['boosted']));
  const wanted = await deliver(plain);
  assert.equal(wanted.asked.boosted, 0);
  assert.deepEqual(one.batches, wanted.batches);
  const cut = { ...boost.manifest, pieces };
  const { channel, asked } = noted(stage.planTools.channel);
  const walk = { shard: 2, from: startPosition, signal: new AbortController().signal };
  const spans = await Array.fromAsync(walkBlocks(channel, cut, walk));
  const plainSpans = await Array.fromAsync(walkBlocks(stage.planTools.channel, plain.manifest, walk));
  assert.deepEqual(spans, plainSpans);
  assert.ok(asked.partitions > 2, 'in several pieces');
  const behind = await Array.fromAsync(walkBlocks(channel, cut, { ...walk, from: spans[1]?.from ?? startPosition }));
  assert.deepEqual(behind, spans.slice(1), 'behind a key');
});

test('a feed on Data Boost makes partitions anew when a read of one fails, and reads no row twice', async () => {
  const boost = await plan('failing', boosted);
  const failed: number[] = [];
  const { batches } = await deliver(boost, (call) => {
    if (call % 3 !== 2) return;
    failed.push(call);
    throw new GrpcError('UNAVAILABLE', 'away for a moment');
  });
  assert.ok(failed.length > 2);
  assert.deepEqual(batches, (await deliver(await plan('failing-plain', feed))).batches);
});

test('a feed on Data Boost takes new tokens when one has expired', async () => {
  const boost = await plan('expired', boosted);
  let refused = 0;
  const { batches } = await deliver(boost, (call) => {
    if (call !== 2) return;
    refused += 1;
    throw new GrpcError('INVALID_ARGUMENT', 'The partition token has expired');
  });
  assert.equal(refused, 1);
  assert.deepEqual(batches, (await deliver(await plan('expired-plain', feed))).batches);
});

test('a feed on Data Boost with a condition asks by partitions too, and a piece over its bounds is read plainly', async () => {
  const where = 'DelayMinutes > 0';
  const asked = await deliver(await plan('where', { ...boosted, where }));
  assert.equal(asked.asked.plain, 0);
  assert.deepEqual(asked.batches, (await deliver(await plan('where-plain', { ...feed, where }))).batches);
  const [operation] = await stage.database.updateSchema([
    'CREATE TABLE Pages (Id INT64 NOT NULL, Text STRING(MAX) NOT NULL) PRIMARY KEY (Id DESC)',
  ]);
  await operation.promise();
  for (let Id = 0; Id < 20; Id += 1) {
    await stage.database.table('Pages').insert({ Id, Text: `${Id}`.repeat(1_200_000) });
  }
  const text = {
    tensor: 'text',
    column: 'Text',
    kind: 'text',
    length: 64,
    truncate: true,
    fillNull: undefined,
  } as const;
  const pages: Feed = {
    ...feed,
    table: 'Pages',
    transforms: [text],
    label: { column: 'Id', greaterThan: 9 },
    split: undefined,
    shards: 1,
    batchRows: 2,
  };
  const { epoch, shards } = await plan('pages', { ...pages, read: { dataBoost: true } });
  stage.trainer.forget();
  const { channel, asked: pieces } = noted(stage.planTools.channel);
  for (const shard of shards) await readShard(epoch, shard, { ...stage.readTools('reader'), channel });
  assert.deepEqual([pieces.partitions, pieces.plain], [1, 1]);
  const large = tensorsOf(stage.trainer.batches);
  stage.trainer.forget();
  const plain = await plan('pages-plain', pages);
  for (const shard of plain.shards) await readShard(plain.epoch, shard, stage.readTools('reader'));
  assert.deepEqual(large, tensorsOf(stage.trainer.batches));
});

test('planEpoch() has the rows that its transforms learn of read on Data Boost, once the table is not small', async () => {
  const { channel, asked } = noted(stage.planTools.channel);
  const feeds = { delays: boosted };
  const tools = { ...stage.planTools, channel, lookRows: 100 };
  const { manifest } = await planEpoch({ ...declaration, feeds }, 'delays', { idempotencyKey: 'fit', nowMs: 0 }, tools);
  assert.ok(asked.boosted >= 4);
  assert.equal(manifest.rowCount, rowCount);
  const plain = await plan('fit-plain', feed);
  assert.deepEqual(manifest.plan.transforms, plain.manifest.plan.transforms);
});
