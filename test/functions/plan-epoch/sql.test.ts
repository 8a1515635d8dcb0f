import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Spanner } from '@google-cloud/spanner';
import { planEpoch } from '../../../functions/plan-epoch/plan-epoch.ts';
import { readShard } from '../../../functions/read-shard/read-shard.ts';
import { rebuildBatch } from '../../../functions/read-shard/rebuild-batch.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Feed } from '../../../shared/model/config/declaration.ts';
import { plainPipeline } from '../../shared/model/config/plain-pipeline.ts';
import { batchRowNumbers } from '../read-shard/batch-row-numbers.ts';
import { declaration, feed, flight, openFeedStage, rowCount } from '../read-shard/feed-stage.ts';

const text = `
  SELECT f.FlightId, f.DistanceMiles, f.DelayMinutes, a.Latitude, CONCAT(f.Origin, '-', f.Destination) AS Route
  FROM Flights AS f JOIN Airports AS a ON a.Iata = f.Origin
  WHERE f.DelayMinutes > 0`;
const asked: Feed = {
  ...feed,
  table: 'query',
  sql: { text, key: [{ name: 'FlightId', descending: true }] },
  transforms: [
    { tensor: 'row', column: 'DistanceMiles', kind: 'cast', as: 'int32', fillNull: undefined },
    { tensor: 'latitude', column: 'Latitude', kind: 'normalise', method: 'min-max', fillNull: undefined },
    { tensor: 'route', column: 'Route', kind: 'vocabulary', maxSize: 9, unknown: 1 },
  ],
  batchRows: 16,
};

let stage: Awaited<ReturnType<typeof openFeedStage>>;

before(async () => {
  stage = await openFeedStage();
  const airport = { Name: 'n', UpdatedAt: '2026-01-01T00:00:00Z', Longitude: Spanner.float(0) };
  const airports = ['ORD', 'SFO'].map((Iata, at) => ({ ...airport, Iata, Latitude: Spanner.float(40 + at) }));
  await stage.database.table('Airports').insert(airports);
});

after(async () => {
  await stage.close();
});

test('a feed by `sql` delivers the rows of its query at the timestamp, once, in the order of its key, and makes them again', async () => {
  const { epoch, manifest, shards } = await stage.plan('sql', asked);
  const rows = Array.from({ length: rowCount }, (_, row) => row).filter((row) => {
    const { Origin, DelayMinutes } = flight(row);
    return Origin !== 'JFK' && Number(DelayMinutes) > 0;
  });
  assert.equal(manifest.rowCount, rows.length);
  assert.equal(manifest.plan.sql, text);
  await stage.database.table('Flights').update({ ...flight(100), DelayMinutes: -10 });
  await stage.database.table('Airports').deleteRows([['SFO']]);
  stage.trainer.forget();
  for (const shard of shards) await readShard(epoch, shard, stage.readTools('one'));
  await stage.database.table('Flights').update(flight(100));
  assert.deepEqual(batchRowNumbers(stage.trainer.batches.values()), rows);
  const cuts = manifest.plan.cuts.map(([key]) => String(key));
  assert.deepEqual(cuts, cuts.toSorted().toReversed(), 'shards go down as the key does');
  const { channel, versions, clock, signal } = stage.readTools('rebuilder');
  for (const [place, delivered] of [...stage.trainer.batches].filter((_, at) => at % 11 === 0)) {
    const [shard = 0, sequence = 0] = place.split('/').map(Number);
    const { body } = await rebuildBatch(manifest, { shard, sequence }, { channel, versions, clock, signal });
    assert.ok(body.equals(delivered), place);
  }
});

test('a feed by `sql` counts as of the pipelines into each table that its query names', async () => {
  const pipelineInto = (table: string) =>
    plainPipeline({
      table,
      pipeline: { name: table, source: { kind: 'kafka', topics: ['t'], pattern: undefined, group: 'g' } },
    });
  const pipelines = Object.fromEntries(['Flights', 'Airports', 'Others'].map((table) => [table, pipelineInto(table)]));
  const wished: string[][] = [];
  const tools = {
    ...stage.planTools,
    pin: (wanted: Parameters<typeof stage.planTools.pin>[0]) => {
      wished.push([...wanted.pipelines]);
      return stage.planTools.pin(wanted);
    },
  };
  const declared = { ...declaration, pipelines, feeds: { delays: asked } };
  await planEpoch(declared, 'delays', { idempotencyKey: 'pipelines', nowMs: 0 }, tools);
  assert.deepEqual(wished, [['Flights', 'Airports']]);
});

test('planEpoch() refuses a query that Spanner refuses, without its columns, or whose key does not tell its rows apart', async () => {
  const by = (name: string) => [{ name, descending: false }];
  for (const [sql, key, said] of [
    ['SELECT Missing FROM Flights', by('Missing'), /refused by Spanner/],
    ['SELECT FlightId FROM Flights WHERE', by('FlightId'), /refused by Spanner/],
    ['SELECT FlightId FROM Flights', by('Origin'), /has no column Origin, which its key names/],
    ['SELECT FlightId, Origin AS flightid FROM Flights', by('FlightId'), /two columns flightid/i],
    ['SELECT [1] AS FlightId FROM Flights', by('FlightId'), /ARRAY<INT64> in its primary key|type ARRAY/],
    ['SELECT FlightId FROM Flights', by('FlightId'), /the query has no column DistanceMiles/],
  ] as const) {
    await assert.rejects(stage.plan('wrong', { ...asked, sql: { text: sql, key } }), (error) => {
      assert.ok(error instanceof ConfigError, `${sql}: ${error}`);
      assert.match(error.message, said);
      return true;
    });
  }
  await assert.rejects(stage.plan('twice', { ...asked, sql: { text, key: by('Route') } }), {
    code: 'KEY_NOT_UNIQUE',
    message: /Rows of the query do not grow by \(Route\): behind \["ORD-ATL"\] comes \["ORD-ATL"\]/,
  });
});
