import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { readSafetensors } from '../../../deploy/local/trainer/safetensors.ts';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import type { Manifest } from '../../../shared/model/epochs/manifest.ts';
import { plainPipeline } from '../../shared/model/config/plain-pipeline.ts';
import { batchRowNumbers } from '../read-shard/batch-row-numbers.ts';
import { declaration, feed, flight, openFeedStage, rowCount } from '../read-shard/feed-stage.ts';

const rowNumber = { tensor: 'row', column: 'DistanceMiles', kind: 'cast', as: 'int32', fillNull: undefined } as const;

/** Of each flight where it starts and ends; JFK and DFW are in no table. */
const joined: Feed = {
  ...feed,
  join: [
    { name: 'origin', table: 'Airports', on: [{ column: 'Origin', equals: 'Iata' }] },
    { name: 'destination', table: 'Airports', on: [{ column: 'Destination', equals: 'Iata' }] },
  ],
  transforms: [
    rowNumber,
    { tensor: 'latitude', column: 'origin.Latitude', kind: 'cast', as: 'float32', fillNull: -1 },
    { tensor: 'north', column: 'destination.Latitude', kind: 'normalise', method: 'min-max', fillNull: 'mean' },
    { tensor: 'state', column: 'origin.State', kind: 'vocabulary', maxSize: 9, unknown: 1 },
  ],
  split: { by: 'origin.City', evaluateShare: 0.3 },
  balance: [[0, 0.5]],
  batchRows: 16,
};
const latitudes: Readonly<Record<string, number>> = { ORD: 41.5, SFO: 37.5, ATL: 33.5 };

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
  await stage.database.table('Airports').insert(Object.entries(latitudes).map(airport));
  const [operation] = await stage.database.updateSchema([
    'CREATE TABLE Places (Id INT64 NOT NULL, Code STRING(3), Kind STRING(3), Zone STRING(MAX)) PRIMARY KEY (Id)',
    'CREATE UNIQUE NULL_FILTERED INDEX PlacesByCode ON Places(Code)',
    'CREATE INDEX PlacesByKind ON Places(Kind)',
  ]);
  await operation.promise();
});

after(async () => {
  await stage.close();
});

function airport([Iata, Latitude]: readonly [string, number]) {
  const where = { Iata, Name: Iata, City: `City of ${Iata}`, State: Iata.slice(0, 2), Country: 'US' };
  return {
    ...where,
    Latitude: Spanner.float(Latitude),
    Longitude: Spanner.float(0),
    UpdatedAt: '2026-01-01T00:00:00Z',
  };
}

async function deliver({ epoch, shards }: { epoch: string; shards: readonly number[] }): Promise<void> {
  stage.trainer.forget();
  for (const shard of shards) await readShard(epoch, shard, stage.readTools('reader'));
  assert.equal(stage.trainer.ends.at(-1), 'end {}');
}

async function assertRebuilt(manifest: Manifest): Promise<void> {
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  for (const [place, delivered] of [...stage.trainer.batches].filter((_, at) => at % 9 === 0)) {
    const [shard = 0, sequence = 0] = place.split('/').map(Number);
    const { body } = await rebuildBatch(manifest, { shard, sequence }, { channel, versions, clock, signal });
    assert.ok(body.equals(delivered), `batch ${place}`);
  }
}

/** Values of float32 and int32 tensors by the row's number. */
function delivered(): Map<number, Record<string, number>> {
  const rows = new Map<number, Record<string, number>>();
  for (const body of stage.trainer.batches.values()) {
    const { tensors, metadata } = readSafetensors(body);
    const numbers = [...tensors].map(([name, { dtype, bytes }]) => {
      const { buffer } = Uint8Array.from(bytes);
      if (dtype === 'U8') return [name, new Uint8Array(buffer)] as const;
      return [name, dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer)] as const;
    });
    const all = Object.fromEntries(numbers);
    for (const [at, row] of (all.row ?? []).entries()) {
      const values = numbers.map(([name, items]) => [name, items[at] ?? Number.NaN] as const);
      rows.set(row, { ...Object.fromEntries(values), test: Number(metadata.get('role') === 'evaluate') });
    }
  }
  return rows;
}

test('a feed joins small tables as of its timestamp: features, split and balance, and its batches are made again', async () => {
  const planned = await stage.plan('joined', joined);
  const { manifest } = planned;
  assert.deepEqual(manifest.plan.columns, [
    'FlightId',
    'DistanceMiles',
    'DelayMinutes',
    'Origin',
    'Destination',
    'origin.Latitude',
    'destination.Latitude',
    'origin.State',
    'origin.City',
  ]);
  await stage.database.table('Airports').update({ Iata: 'ORD', Latitude: Spanner.float(1), City: 'elsewhere' });
  await stage.database.table('Airports').insert(airport(['JFK', 40.5]));
  await deliver(planned);
  await assertRebuilt(manifest);
  const rows = delivered();
  const roles = new Map<unknown, number>();
  for (const [row, values] of rows) {
    const { Origin, Destination, DelayMinutes } = flight(row);
    const latitude = latitudes[String(Origin)];
    assert.equal(values.latitude, latitude ?? -1);
    assert.equal(values.latitude_mask, latitude === undefined ? 0 : 1);
    // All that are known are ATL's: normalised to 0, which NULL is then too.
    assert.equal(values.north, 0);
    assert.equal(values.north_mask, Number(Destination === 'ATL'));
    assert.equal(values.state, latitude === undefined ? 0 : values.state);
    assert.equal(values.label, Number(Number(DelayMinutes) > 15));
    assert.equal(values.test, roles.get(Origin) ?? values.test, 'an origin has one role');
    roles.set(Origin, values.test ?? 0);
  }
  assert.ok(rows.size > rowCount / 2 && rows.size < rowCount, `${rows.size} rows`);
  assert.deepEqual(new Set([...rows.values()].map(({ state }) => state)), new Set([0, 1, 2]));
  const again = await stage.plan('joined-again', joined);
  assert.notEqual(again.manifest.planDigest, manifest.planDigest, 'what was joined has changed');
});

test('a feed joins by a unique index, where NULL equals nothing, and a table without rows', async () => {
  const places: Feed = {
    ...feed,
    join: [{ name: 'place', table: 'Places', on: [{ column: 'Origin', equals: 'Code' }] }],
    transforms: [
      rowNumber,
      { tensor: 'id', column: 'place.Id', kind: 'cast', as: 'int32', fillNull: 7 },
      { tensor: 'zone', column: 'place.Zone', kind: 'hash', cross: undefined, buckets: 9, oneHot: false, fillNull: '' },
    ],
  };
  const empty = await stage.plan('no-places', places);
  await deliver(empty);
  assert.deepEqual(new Set([...delivered().values()].map(({ id, id_mask }) => [id, id_mask].join())), new Set(['7,0']));
  assert.equal(batchRowNumbers(stage.trainer.batches.values()).length, rowCount);
  const codes = ['SFO', null, null, 'JFK'];
  await stage.database.table('Places').insert(codes.map((Code, Id) => ({ Id: String(Id), Code, Zone: 'Z' })));
  await deliver(await stage.plan('places', places));
  for (const [row, { id }] of delivered()) assert.equal(id, { SFO: 0, JFK: 3 }[String(flight(row).Origin)] ?? 7);
});

test('planEpoch() names the offsets of pipelines into joined tables too', async () => {
  const source = { kind: 'kafka', topics: ['airports'], pattern: undefined, group: 'g' } as const;
  const airports = plainPipeline({ table: 'airports', pipeline: { name: 'airports', source } });
  await stage.database.table('PenstockCheckpoints').insert({
    Pipeline: 'airports',
    Topic: 'airports',
    PartitionId: 0,
    TopicId: 't',
    NextOffset: '5',
    Fence: 1,
    Owner: 'o',
    HighWatermark: '5',
    UpdatedAt: 'spanner.commit_timestamp()',
  });
  const declared = { ...declaration, pipelines: { airports }, feeds: { delays: joined } };
  const { manifest } = await planEpoch(declared, 'delays', { idempotencyKey: 'offsets', nowMs: 0 }, stage.planTools);
  assert.deepEqual(
    manifest.checkpoints.map(({ topic, nextOffset }) => [topic, nextOffset]),
    [['airports', '5']],
  );
});

test('planEpoch() refuses a join that could find several rows, of other types, of nothing, or of a large table', async () => {
  const on = [{ column: 'Origin', equals: 'Iata' }];
  for (const [table, pairs, said] of [
    ['Airports', [{ column: 'Origin', equals: 'City' }], /could find several rows of Airports by City/],
    ['Places', [{ column: 'Origin', equals: 'Kind' }], /could find several rows/],
    ['Airports', [{ column: 'DistanceMiles', equals: 'Iata' }], /compares DistanceMiles, INT64, with Iata, STRING/],
    ['Airports', [...on, { column: 'Destination', equals: 'Name' }], /could find several rows/],
    ['Airports', [{ column: 'Missing', equals: 'Iata' }], /Flights has no column Missing/],
    ['Airports', [{ column: 'Origin', equals: 'Missing' }], /Airports has no column Missing/],
    ['Airports', on, /Airports has no column origin.Nothing/],
    ['Nowhere', on, /the database has no table Nowhere/],
  ] as const) {
    const column = /Nothing/.test(String(said)) ? 'origin.Nothing' : 'origin.Latitude';
    const transforms = [{ tensor: 'a', column, kind: 'cast', as: 'float32', fillNull: 0 } as const];
    const wrong: Feed = { ...feed, join: [{ name: 'origin', table, on: pairs }], transforms };
    await assert.rejects(stage.plan('wrong', wrong), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, said);
      return true;
    });
  }
  const large = Array.from({ length: 14 }, (_, at) => ({ Id: String(100 + at), Zone: 'z'.repeat(2_500_000) }));
  for (const row of large) await stage.database.table('Places').insert(row);
  const transforms = [{ tensor: 'zone', column: 'place.Zone', kind: 'vocabulary', maxSize: 9, unknown: 1 } as const];
  const join = [{ name: 'place', table: 'Places', on: [{ column: 'Origin', equals: 'Code' }] }];
  await assert.rejects(stage.plan('large', { ...feed, join, transforms }), {
    code: 'JOIN_TOO_LARGE',
    message: /Table Places, joined as place, has more than 33554432 bytes/,
  });
});
