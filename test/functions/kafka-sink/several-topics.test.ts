import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pipeline } from '../../../shared/model/config/declaration.ts';
import { flight, flights, openIngest, runSink, untilRows, watchedLog } from './ingest-fixture.ts';

const group = 'several';

function reading(topics: readonly string[], pattern?: string): Pipeline {
  return { ...flights, source: { kind: 'kafka', topics, pattern, group } };
}

test('runKafkaSink() reads several topics into one table, each with offsets of its own', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(2, 'domestic');
  await ingest.createTopic(2, 'abroad');
  await ingest.produce([flight('D0'), flight('D1')], 'domestic');
  await ingest.produce([flight('A0'), flight('A1'), flight('A2')], 'abroad');
  await ingest.sink(reading(['domestic', 'abroad']));
  await ingest.produce([flight('A3')], 'abroad');
  await ingest.sink(reading(['domestic', 'abroad']));
  assert.deepEqual(await ingest.query('SELECT COUNT(*) AS n FROM Flights'), [{ n: 6 }]);
  const lineage = await ingest.query(
    'SELECT Topic, SUM(ToOffset - FromOffset) AS n, SUM(RowCount) AS r FROM PenstockLineage GROUP BY Topic ORDER BY Topic',
  );
  assert.deepEqual(lineage, [
    { Topic: 'abroad', n: 4, r: 4 },
    { Topic: 'domestic', n: 2, r: 2 },
  ]);
});

test('runKafkaSink() reads the topics that a pattern names, those that are created later included', async () => {
  await using ingest = await openIngest();
  await ingest.createTopic(1, 'flights-eu');
  await ingest.createTopic(1, 'other-flights-eu');
  await ingest.produce([flight('E0')], 'flights-eu');
  await ingest.produce([flight('X0')], 'other-flights-eu');
  const ending = new AbortController();
  const { log, seen } = watchedLog('Committed');
  const declaration = ingest.declaration(reading([], 'flights-.*'));
  const running = runSink(declaration, { signal: ending.signal, log, lookEveryMs: 200 });
  await seen;
  await ingest.createTopic(1, 'flights-us');
  await ingest.produce([flight('U0')], 'flights-us');
  await untilRows(ingest, 2);
  ending.abort();
  await running;
  const ids = await ingest.query('SELECT FlightId AS id FROM Flights ORDER BY id');
  assert.deepEqual(ids, [{ id: 'E0' }, { id: 'U0' }]);
});
