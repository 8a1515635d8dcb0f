import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { type ReadTools, readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { relieveEpoch } from '../../../functions/read-shard/relieve-epoch.ts';
import { cutShard } from '../../../shared/adapters/spanner/epochs/cut-shard.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { feed, openFeedStage, rowCount } from './feed-stage.ts';

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
  const place = { Name: 'Chicago', City: 'Chicago', UpdatedAt: '2026-01-01T00:00:00Z' };
  await stage.database
    .table('Airports')
    .insert({ Iata: 'ORD', ...place, Latitude: Spanner.float(41.98), Longitude: Spanner.float(-87.9) });
});

after(async () => {
  await stage.close();
});

function reliefTools() {
  const { store, channel, clock, signal } = stage.readTools('idle');
  const cut: Parameters<typeof relieveEpoch>[1]['cut'] = (epoch, shard, at) =>
    cutShard(stage.database, epoch, shard, at);
  return { store, channel, clock, signal, cut, splitAfterMs: 1_000 };
}

/** A reader that stands still before a batch until it is let go. */
function heldReader(epoch: string, shard: number, sequence: number, tools: ReadTools) {
  const held = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  stage.trainer.beforeBatch = async (place) => {
    if (place === `${shard}/${sequence}`) {
      stage.trainer.beforeBatch = () => false;
      reached.resolve();
      await held.promise;
    }
    return false;
  };
  const outcome = readShard(epoch, shard, tools);
  return { reached: reached.promise, goOn: held.resolve, outcome };
}

test('relieveEpoch() cuts a shard that lags at a block, again and again, and its batches keep numbers and bytes', async () => {
  // Blocks of 32 rows: a shard of 750 rows has 24.
  const { epoch, manifest, shards } = await stage.plan('cut', { ...feed, batchRows: 4 });
  for (const shard of shards) if (shard !== 1) await readShard(epoch, shard, stage.readTools('early'));
  assert.deepEqual(await relieveEpoch(epoch, reliefTools()), [], 'a shard that nobody has begun is not cut');
  const slow = heldReader(epoch, 1, 25, stage.readTools('slow'));
  await slow.reached;
  assert.deepEqual(await relieveEpoch(epoch, reliefTools()), [], 'a shard that has just begun is not cut');
  stage.turnClock(4_000);
  const [tail] = await relieveEpoch(epoch, reliefTools());
  assert.equal(tail, 4);
  assert.equal((await readShard(epoch, 1, stage.readTools('other'))).status, 'leased');
  assert.deepEqual(await relieveEpoch(epoch, reliefTools()), [4], 'a rest whose job was lost is handed out again');
  const tailOutcome = await readShard(epoch, 4, stage.readTools('tail'));
  assert.ok(tailOutcome.status === 'done' && tailOutcome.rows > 300 && tailOutcome.rows < 400);
  assert.ok(!stage.trainer.ends.some((end) => end.startsWith('shards/1/')), 'the shard has not ended');
  stage.turnClock(4_000);
  const [nearer] = await relieveEpoch(epoch, reliefTools());
  assert.equal(nearer, 5);
  slow.goOn();
  const slowOutcome = await slow.outcome;
  const last = await readShard(epoch, 5, stage.readTools('last'));
  assert.ok(slowOutcome.status === 'done' && last.status === 'done');
  assert.equal(slowOutcome.rows + last.rows + tailOutcome.rows, rowCount / 4);
  await assertWhole(epoch, manifest);
});

async function assertWhole(epoch: string, manifest: Parameters<typeof rebuildBatch>[0]): Promise<void> {
  const { trainer, store } = stage;
  const sent = [...trainer.batches.keys()].filter((place) => place.startsWith('1/'));
  const sequences = sent.map((place) => Number(place.slice(2))).toSorted((one, other) => one - other);
  assert.deepEqual(
    sequences,
    Array.from({ length: sent.length }, (_, at) => at),
  );
  assert.ok(trainer.ends.includes(`shards/1/end {"rows":750,"batches":${sent.length}}`), trainer.ends.join('\n'));
  assert.equal(trainer.ends.at(-1), 'end {}');
  assert.equal((await store.find(epoch))?.state, 'delivered');
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  for (const sequence of [0, 25, 120, sent.length - 1]) {
    const { body } = await rebuildBatch(manifest, { shard: 1, sequence }, { channel, versions, clock, signal });
    assert.ok(trainer.batches.get(`1/${sequence}`)?.equals(body), `batch 1/${sequence}`);
  }
  const [[row]] = await stage.database
    .table('PenstockEpochs')
    .read({ keys: [[epoch]], columns: ['RowCount', 'BatchCount'], json: true });
  assert.deepEqual(row, { RowCount: rowCount, BatchCount: trainer.batches.size });
}

test('relieveEpoch() cuts nothing off a reader that is done or too near, and cutShard() refuses a cut behind it', async () => {
  stage.trainer.forget();
  const { epoch } = await stage.plan('near', feed);
  for (const shard of [0, 1, 2]) await readShard(epoch, shard, stage.readTools('early'));
  const slow = heldReader(epoch, 3, 4, stage.readTools('slow'));
  await slow.reached;
  stage.turnClock(4_000);
  assert.deepEqual(await relieveEpoch(epoch, reliefTools()), [], 'of three blocks none is worth a cut');
  slow.goOn();
  assert.equal((await slow.outcome).status, 'done');
  const at = { block: 1, afterKey: ['f002505'], nextSequence: 9, rows: 256 };
  assert.equal(await cutShard(stage.database, epoch, 3, at), undefined);
  assert.deepEqual(await relieveEpoch(epoch, reliefTools()), []);
});

const airports = { table: 'Airports', on: [{ column: 'Origin', equals: 'Iata' }] };
const latitude = { tensor: 'latitude', kind: 'cast', as: 'float32', fillNull: -1 } as const;

/** Each way to read rows that is not a plain read of one table. */
const otherReads: Readonly<Record<string, Feed>> = {
  join: {
    ...feed,
    join: [{ name: 'origin', ...airports }],
    transforms: [...feed.transforms, { ...latitude, column: 'origin.Latitude' }],
    split: { by: 'origin.City', evaluateShare: 0.3 },
  },
  sql: {
    ...feed,
    sql: {
      text: `SELECT f.FlightId, f.DepartedAt, f.DistanceMiles, f.Origin, f.DelayMinutes, a.Latitude
        FROM Flights AS f LEFT JOIN Airports AS a ON a.Iata = f.Origin`,
      key: [{ name: 'FlightId', descending: false }],
    },
    table: 'query',
    transforms: [...feed.transforms, { ...latitude, column: 'Latitude' }],
  },
  'Data Boost': { ...feed, read: { dataBoost: true } },
};

for (const [kind, other] of Object.entries(otherReads)) {
  test(`a shard of a feed by ${kind} is cut while it is read, and its batches are those of one that was not`, async () => {
    stage.trainer.forget();
    const { epoch, manifest, shards } = await stage.plan(`cut-by-${kind.replace(' ', '-')}`, {
      ...other,
      batchRows: 4,
    });
    for (const shard of shards) if (shard !== 1) await readShard(epoch, shard, stage.readTools('early'));
    const slow = heldReader(epoch, 1, 25, stage.readTools('slow'));
    await slow.reached;
    stage.turnClock(4_000);
    const [tail] = await relieveEpoch(epoch, reliefTools());
    assert.equal(tail, 4);
    const tailOutcome = await readShard(epoch, 4, stage.readTools('tail'));
    slow.goOn();
    const slowOutcome = await slow.outcome;
    assert.ok(slowOutcome.status === 'done' && tailOutcome.status === 'done');
    assert.ok(tailOutcome.rows > 100 && slowOutcome.rows > 100, `${slowOutcome.rows} and ${tailOutcome.rows}`);
    await assertWhole(epoch, manifest);
  });
}
