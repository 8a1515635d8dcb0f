import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import type { ShardLeases } from '../../../shared/adapters/spanner/epochs/shard-leases.ts';
import { openFeedStage } from './feed-stage.ts';

/** Eight batches of 32 rows; a shard has 750. */
const BLOCK_ROWS = 256;
const SHARD_ROWS = 750;
/** In which whatever did not wait would have begun. */
const TURNS = 50;

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

test('readShard() delivers a block while the one before is saved, and waits before the next but one', {
  timeout: 120_000,
}, async () => {
  stage.trainer.forget();
  const { epoch } = await stage.plan('overlapping');
  const tools = stage.readTools('one');
  const oneIsDelivered = Promise.withResolvers<void>();
  const saves: number[] = [];
  let rows = 0;
  let rowsAtFirstSave = 0;
  const leases: ShardLeases = {
    ...tools.leases,
    async save(lease, position) {
      saves.push(position.block);
      if (position.block === 1) {
        await oneIsDelivered.promise;
        for (let count = 0; count < TURNS; count += 1) await turn();
        rowsAtFirstSave = rows;
        assert.deepEqual(saves, [1], 'no position is saved before the one before it');
      }
      return await tools.leases.save(lease, position);
    },
  };
  const onBatch = (batch: { readonly rows: number }): void => {
    rows += batch.rows;
    if (rows === 2 * BLOCK_ROWS) oneIsDelivered.resolve();
  };
  assert.equal((await readShard(epoch, 1, { ...tools, leases, onBatch })).status, 'done');
  assert.equal(rowsAtFirstSave, 2 * BLOCK_ROWS);
  assert.deepEqual(saves, [1, 2, 3]);
  assert.equal(rows, SHARD_ROWS);
});

test('readShard() does not renew its lease while a position is saved: neither undoes the other', async () => {
  stage.trainer.forget();
  const { epoch } = await stage.plan('renewing');
  const tools = stage.readTools('one');
  let saving = 0;
  let renewals = 0;
  const leases: ShardLeases = {
    ...tools.leases,
    async save(lease, position) {
      saving += 1;
      // It has to be renewed from now on.
      stage.turnClock(6_000);
      for (let count = 0; count < TURNS; count += 1) await turn();
      const saved = await tools.leases.save(lease, position);
      saving -= 1;
      return { ...saved, expiresAtMs: tools.clock() };
    },
    async renew(lease) {
      assert.equal(saving, 0);
      renewals += 1;
      return await tools.leases.renew(lease);
    },
  };
  const outcome = await readShard(epoch, 1, { ...tools, leases });
  assert.ok(outcome.status === 'done' && outcome.rows === SHARD_ROWS);
  assert.ok(renewals > 0);
});
