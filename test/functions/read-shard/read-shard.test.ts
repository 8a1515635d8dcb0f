import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readSafetensors } from '../../../deploy/local/trainer/safetensors.ts';
import { type ReadTools, readShard } from '../../../functions/read-shard/read-shard.ts';
import { LeaseLostError } from '../../../shared/adapters/spanner/epochs/shard-leases.ts';
import { TrainerRefusedError } from '../../../shared/adapters/trainer/trainer-error.ts';
import { flight, openFeedStage, rowCount } from './feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
});

after(async () => {
  await stage.close();
});

/** The rows in all batches, by the tensor that holds their number. */
function rowsSent(): number[] {
  return [...stage.trainer.batches.values()]
    .flatMap((body) => {
      const tensor = readSafetensors(body).tensors.get('row');
      assert.ok(tensor);
      const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.length);
      return Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => view.getInt32(row * 4, true));
    })
    .toSorted((left, right) => left - right);
}

const allRows = Array.from({ length: rowCount }, (_, row) => row);

test('readShard() delivers every row at the read timestamp once, none written after it, and ends the epoch', async () => {
  stage.trainer.forget();
  const { epoch, shards } = await stage.plan('whole');
  await stage.database.table('Flights').insert({ ...flight(rowCount), FlightId: 'f000500x' });
  for (const shard of shards) {
    const outcome = await readShard(epoch, shard, stage.readTools('one'));
    assert.equal(outcome.status, 'done');
  }
  assert.deepEqual(rowsSent(), allRows);
  assert.equal(stage.trainer.ends.length, 5);
  assert.equal(stage.trainer.ends.at(-1), 'end {}');
  assert.equal((await stage.store.find(epoch))?.state, 'delivered');
  await stage.database.table('Flights').deleteRows([['f000500x']]);
  assert.deepEqual(await readShard(epoch, 0, stage.readTools('two')), { status: 'done-before' });
  assert.equal(stage.trainer.ends.length, 5);
});

test('readShard() goes on from the last saved block, and what it sends again has the same bytes', async () => {
  stage.trainer.forget();
  // One batch at a time: the reader is stopped within a block.
  stage.trainer.credits = 1;
  const { epoch } = await stage.plan('stopped');
  const controller = new AbortController();
  const lines: unknown[] = [];
  const access: ReadTools['access'] = { identity: 'reader@test', log: (_, __, fields) => lines.push(fields) };
  const outcome = await readShard(epoch, 1, {
    ...stage.readTools('first', controller.signal),
    access,
    onBatch: ({ sequence }) => {
      if (sequence === 12) controller.abort();
    },
  });
  assert.ok(outcome.status === 'stopped' && outcome.position.block === 1 && outcome.position.rows === 256);
  const sentBefore = stage.trainer.batches.size;
  const resumed = await readShard(epoch, 1, { ...stage.readTools('next'), access });
  assert.equal(resumed.status, 'done');
  assert.equal(lines.length, 2, 'an audit line of each reading');
  assert.partialDeepStrictEqual(lines[1], {
    action: 'spanner.read',
    identity: 'reader@test',
    resource: 'Flights',
    outcome: 'done',
    shard: 1,
    columns: ['FlightId', 'DistanceMiles', 'DepartedAt', 'Origin', 'DelayMinutes'],
    rows: 750,
  });
  // The recording trainer refuses a batch that comes again with other bytes.
  assert.equal(
    stage.trainer.duplicates.length,
    sentBefore - (outcome.status === 'stopped' ? outcome.position.nextSequence : 0),
  );
  assert.ok(stage.trainer.duplicates.length >= 1);
  const rows = rowsSent();
  assert.equal(new Set(rows).size, 750);
  assert.equal(rows.length, 750);
});

test('readShard() leaves a shard to the reader that has its lease, and takes it when the lease has run out', async () => {
  stage.trainer.forget();
  const { epoch } = await stage.plan('lease');
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  stage.trainer.beforeBatch = async (place) => {
    if (place === '2/9') {
      reached.resolve();
      await held.promise;
    }
    return false;
  };
  const slow = readShard(epoch, 2, stage.readTools('slow'));
  await reached.promise;
  const second = await readShard(epoch, 2, stage.readTools('second'));
  assert.equal(second.status, 'leased');
  stage.turnClock(10_001);
  stage.trainer.beforeBatch = () => false;
  const third = await readShard(epoch, 2, stage.readTools('third'));
  assert.equal(third.status, 'done');
  const sent = stage.trainer.batches.size;
  held.resolve();
  await assert.rejects(slow, LeaseLostError);
  assert.equal(stage.trainer.batches.size, sent);
  const rows = rowsSent();
  assert.equal(new Set(rows).size, 750);
  assert.equal(rows.length, 750);
});

test('readShard() records a refusal of the trainer with the shard and the epoch, and does not send on', async () => {
  stage.trainer.forget();
  const { epoch } = await stage.plan('refused');
  stage.trainer.beforeBatch = (_, response) => {
    response.statusCode = 422;
    response.end('{"detail":"no such tensor"}');
    return true;
  };
  await assert.rejects(readShard(epoch, 3, stage.readTools('refused')), TrainerRefusedError);
  const [rows] = await stage.database
    .table('PenstockShards')
    .read({ keys: [[epoch, '3']], columns: ['State', 'Error'], json: true });
  assert.match(JSON.stringify(rows), /"State":"failed","Error":"The trainer answered 422 .*no such tensor/);
  assert.equal((await stage.store.find(epoch))?.state, 'failed');
});

test('readShard() fails an epoch that outlived the versions of its rows: it says until when, what to do, and sends nothing', async () => {
  stage.trainer.forget();
  const { epoch, manifest } = await stage.plan('outlived');
  const late = { ...stage.readTools('late'), clock: () => Date.parse(manifest.readableUntil) + 1 };
  await assert.rejects(readShard(epoch, 1, late), { code: 'RETENTION_PASSED', remedy: /version_retention_period/ });
  const stored = await stage.store.find(epoch);
  assert.equal(stored?.state, 'failed');
  const [rows] = await stage.database
    .table('PenstockShards')
    .read({ keys: [[epoch, '1']], columns: ['State', 'Error'], json: true });
  assert.ok(JSON.stringify(rows).includes(`which Spanner kept until ${manifest.readableUntil}`), JSON.stringify(rows));
  assert.equal(stage.trainer.batches.size, 0);
});

test('readShard() waits for Retry-After and refuses a shard that was never planned and a build of other versions', async () => {
  stage.trainer.forget();
  const { epoch } = await stage.plan('busy');
  let refused = 0;
  stage.trainer.beforeBatch = (_, response) => {
    if (refused++ >= 2) return false;
    response.writeHead(refused === 1 ? 429 : 503, { 'retry-after': '0' }).end('{}');
    return true;
  };
  const outcome = await readShard(epoch, 0, stage.readTools('patient'));
  assert.deepEqual(outcome.status === 'done' && outcome.rows, 750);
  assert.equal(stage.trainer.duplicates.length, 0);
  await assert.rejects(readShard(epoch, 99, stage.readTools('a')), { code: 'NOT_FOUND' });
  await assert.rejects(readShard('no-such', 0, stage.readTools('a')), { code: 'NOT_FOUND' });
  const other = { ...stage.readTools('a'), versions: { node: '1', icu: '1', tz: '1' } };
  await assert.rejects(readShard(epoch, 1, other), { code: 'PLAN_VERSIONS', retryable: true });
});
