import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { readTensors } from '../../../deploy/local/trainer/read-tensors.ts';
import { deliveryOfFeed } from '../../../functions/read-shard/delivery-of-feed.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { arrowVersion } from '../../../shared/model/tensors/batch-format.ts';
import { declaration, feed, openFeedStage } from './feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(() => stage.close());

const noAccess = async (): Promise<never> => {
  throw new Error('A trainer needs no access token');
};

/** Tensors of every delivered batch, by its place. */
function delivered(): Map<string, unknown> {
  const batches = [...stage.trainer.batches].map(([place, body]) => {
    const { metadata, tensors } = readTensors(body);
    const { role, rowFrom, rowTo } = Object.fromEntries(metadata);
    const values = [...tensors].map(([name, { dtype, shape, bytes }]) => [
      name,
      dtype,
      shape,
      Buffer.from(bytes).toString('hex'),
    ]);
    return [place, { role, rowFrom, rowTo, values: values.sort() }] as const;
  });
  return new Map(batches);
}

test('readShard() delivers Arrow batches with the rows and tensors of safetensors batches, and rebuilds their bytes', async () => {
  const plain = await stage.plan('plain');
  for (const shard of plain.shards) await readShard(plain.epoch, shard, stage.readTools('reader'));
  const wanted = delivered();
  stage.trainer.forget();

  const trainer = { url: stage.trainer.url, audience: 'a', format: 'arrow' } as const;
  const arrowFeed = { ...feed, trainer };
  const { epoch, shards, manifest } = await stage.plan('arrow', arrowFeed);
  const types = new Set<string | undefined>();
  stage.trainer.beforeBatch = (_, response) => {
    types.add(response.req.headers['content-type']);
    return false;
  };
  const trainerOf = deliveryOfFeed(
    { ...declaration, feeds: { delays: arrowFeed } },
    { ids: { authorization: async () => 'Bearer t' }, access: noAccess, env: {} },
  );
  for (const shard of shards) await readShard(epoch, shard, { ...stage.readTools('reader'), trainerOf });
  assert.deepEqual([...types], ['application/vnd.apache.arrow.stream']);
  assert.ok(wanted.size > 90);
  assert.deepEqual(delivered(), wanted);

  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  for (const [place, body] of [...stage.trainer.batches].filter((_, at) => at % 20 === 0)) {
    const [shard = 0, sequence = 0] = place.split('/').map(Number);
    const again = await rebuildBatch(manifest, { shard, sequence }, { channel, versions, clock, signal });
    assert.ok(again.body.equals(body), place);
  }
});

test('an epoch of Arrow batches is read by the version of apache-arrow that it was planned with, and no other', async () => {
  const arrowFeed = { ...feed, trainer: { url: stage.trainer.url, audience: 'a', format: 'arrow' } as const };
  const { manifest } = await stage.plan('version', arrowFeed);
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  assert.equal(manifest.plan.versions.arrow, dependencies['apache-arrow']);
  assert.equal(manifest.plan.versions.arrow, arrowVersion);
  const versions = { ...manifest.plan.versions, arrow: '1.0.0' };
  const older = { ...manifest, plan: { ...manifest.plan, versions } };
  const tools = stage.readTools('rebuilder');
  await assert.rejects(rebuildBatch(older, { shard: 0, sequence: 0 }, tools), {
    code: 'PLAN_VERSIONS',
    message: new RegExp(`apache-arrow 1\\.0\\.0; here are .*${arrowVersion}`),
  });
});
